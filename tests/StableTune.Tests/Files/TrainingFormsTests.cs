using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Models;

namespace StableTune.Tests;

/// <summary>Runs that begin with models in every form, and what their files say of it.</summary>
public sealed class TrainingFormsTests : IDisposable
{
    private readonly ModelForms _forms = new();

    public void Dispose() => _forms.Dispose();

    private TrainerBuilder Builder(string form, string name) =>
        TinyRun.Builder(_forms.Folder, name).WithModel(_forms.Path(form), _forms.Reading(form)).For(TrainingLength.Steps(2));

    [Theory]
    [InlineData("tiny-sd15", "tiny-sd15.safetensors", "sd_v1")]
    [InlineData("tiny-sd21-v", "tiny-sd21-v.safetensors", "sd_v2_v")]
    [InlineData("tiny-sdxl", "tiny-sdxl.safetensors", "sdxl_base_v1-0")]
    public void Train_FolderOrSingleFile_LearnsTheSame_AndSaysWhatItBeganWith(string folder, string file, string version)
    {
        var held = TinyRun.HeldBefore();
        var (first, second) = (Builder(folder, "folder").Train(), Builder(file, "file").Train());
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Equal(first.Losses, second.Losses);
        Assert.Equal(TinyRun.Weights(first.Files[0]), TinyRun.Weights(second.Files[0]));

        var (plain, hashed) = (TinyRun.Metadata(first.Files[0]), TinyRun.Metadata(second.Files[0]));
        Assert.Equal((version, version), (plain["ss_base_model_version"], hashed["ss_base_model_version"]));
        Assert.Equal((folder, file), (plain["ss_sd_model_name"], hashed["ss_sd_model_name"]));
        Assert.DoesNotContain("ss_sd_model_hash", plain.Keys);
        Assert.DoesNotContain("ss_new_sd_model_hash", plain.Keys);
        Assert.Equal(WeightHashes.Old(_forms.Path(file)), hashed["ss_sd_model_hash"]);
        Assert.Equal(WeightHashes.Sha256(_forms.Path(file)), hashed["ss_new_sd_model_hash"]);
        Assert.DoesNotContain(hashed.Keys, key => key.StartsWith("ss_vae", StringComparison.Ordinal) || key == "ss_new_vae_hash");
    }

    [Theory]
    [InlineData("tiny-sd15-ckpt.ckpt")]
    [InlineData("tiny-sd15-ckpt-legacy-ema.ckpt")]
    public void Train_TorchCheckpointWithAnotherVae_Works_AndNamesIt(string form)
    {
        var vae = _forms.Save("tiny-sd21-v", ModelFormat.Safetensors).Path;
        var result = Builder(form, "ckpt").WithVae(vae).Train();
        var metadata = TinyRun.Metadata(result.Files[0]);
        Assert.Equal((form, Path.GetFileName(vae)), (metadata["ss_sd_model_name"], metadata["ss_vae_name"]));
        Assert.Equal((WeightHashes.Old(vae), WeightHashes.Sha256(vae)), (metadata["ss_vae_hash"], metadata["ss_new_vae_hash"]));
        Assert.Equal(WeightHashes.Sha256(_forms.Path(form)), metadata["ss_new_sd_model_hash"]);
    }

    [Fact]
    public void Train_TheModelIsReplacedMeanwhile_TheHashIsOfWhatTheRunBeganWith_AndTheFileIsFree()
    {
        var model = _forms.Folder.File("mine.safetensors");
        File.Copy(_forms.Path("tiny-sd15.safetensors"), model);
        File.Copy(Path.ChangeExtension(_forms.Path("tiny-sd15.safetensors"), ".yaml"), Path.ChangeExtension(model, ".yaml"));
        var hash = WeightHashes.Sha256(model);
        var result = Builder("tiny-sd15.safetensors", "mine").WithModel(model).SaveEvery(steps: 1).Train();
        Assert.Equal(hash, TinyRun.Metadata(result.Files[^1])["ss_new_sd_model_hash"]);
        File.Delete(model);
    }

    [Theory]
    [InlineData("tiny-sd15.safetensors")]
    [InlineData("tiny-sd15-ckpt-legacy-ema.ckpt")]
    [InlineData("tiny-sd21-v.safetensors")]
    [InlineData("tiny-sdxl.safetensors")]
    public void Generate_AnyForm_DrawsWhatItsOtherFormsDraw(string form)
    {
        var prompt = new TextToImageOptions { Prompt = "a (frog:1.2)", NegativePrompt = "blurry", Width = 64, Height = 64, Steps = 2,
            Seed = 3 };
        byte[] Draw(string path)
        {
            using var model = ModelLoader.Load(path, _forms.Reading(form));
            return new TextToImagePipeline(model).Generate(prompt).Pixels;
        }

        var expected = Draw(_forms.Path(form));
        Assert.True(expected.Distinct().Count() > 10, "the picture is empty");
        foreach (var format in Enum.GetValues<ModelFormat>()) Assert.Equal(expected, Draw(_forms.Save(form, format).Path));
    }
}
