using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class ReplacementVaeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _model, _other;

    public ReplacementVaeTests() => (_model, _other) = (FixtureModels.TinySd15(_folder), FixtureModels.TinySd21V(_folder));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model folder")]
    [InlineData("VAE folder")]
    [InlineData("file of a folder")]
    [InlineData("whole model")]
    [InlineData("VAE alone")]
    [InlineData("VAE alone in a checkpoint")]
    public void Load_VaePath_TakesItFromEveryForm(string form)
    {
        using var model = ModelLoader.Load(_model, new ModelLoadOptions { VaePath = Form(form) });
        using var expected = ModelLoader.Load(_other, new ModelLoadOptions { Parts = ModelParts.Vae });
        ModelStates.AssertSame(expected.Vae, model.Vae);
        Assert.Equal(ModelParts.All, model.Parts);
        Assert.Equal(0.18215, model.Vae.Options.ScalingFactor);
        Assert.Contains(model.Details!.Notes, note => note.Contains("VAE", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_VaePath_NeedsNoVaeOfTheModel()
    {
        Directory.Delete(Path.Combine(_model, "vae"), recursive: true);
        var options = new ModelLoadOptions { VaePath = Form("VAE folder"), Parts = ModelParts.Vae };
        Assert.Empty(ModelLoader.Check(_model, options));
        using var model = ModelLoader.Load(_model, options);
        Assert.Equal([16, 16, 16, 16], model.Vae.Options.BlockOutChannels);
    }

    [Theory]
    [InlineData("missing", "missing")]
    [InlineData("text encoder", "no VAE")]
    [InlineData("empty folder", "no VAE")]
    [InlineData("other latents", "latents have 16")]
    public void Load_VaePathThatCannotWork_NamesIt(string form, string expected)
    {
        var path = Form(form);
        var error = Assert.ThrowsAny<InvalidFileException>(() => ModelLoader.Load(_model, new ModelLoadOptions { VaePath = path }));
        Assert.Contains(expected, error.Message);
        Assert.Contains(Path.GetFileName(path), error.Message);
        Assert.NotEmpty(ModelLoader.Check(_model, new ModelLoadOptions { VaePath = path }));
    }

    private string Form(string form)
    {
        var folder = Path.Combine(_other, "vae");
        switch (form)
        {
            case "model folder": return _other;
            case "VAE folder": return folder;
            case "file of a folder": return Path.Combine(folder, "diffusion_pytorch_model.safetensors");
            case "whole model": return FixtureModels.SingleFile("tiny-sd21-v");
            case "VAE alone" or "VAE alone in a checkpoint":
                var path = _folder.File(form == "VAE alone" ? "vae.safetensors" : "vae.pt");
                var tensors = KeyMap.Vae(VaeOptions.Sd15, "")
                    .ToCheckpoint(ModelStates.Read(Path.Combine(folder, "diffusion_pytorch_model.safetensors")));
                TensorPayload[] loss = [.. tensors, new("loss.logvar", TensorDType.F32, [], stream => stream.Write(new byte[4]))];
                if (form == "VAE alone") SafetensorsWriter.Write(path, loss);
                else TorchWriter.Write(path, loss, TorchLayout.Checkpoint);
                File.Copy(Fixtures.Path("models", "tiny-sd21-v.yaml"), _folder.File("vae.yaml"));
                return path;
            case "text encoder": return Path.Combine(_other, "text_encoder", "model.safetensors");
            case "empty folder": return _folder.Folder("empty");
            case "other latents":
                var config = Path.Combine(folder, "config.json");
                File.WriteAllText(config, File.ReadAllText(config)
                    .Replace("\"latent_channels\": 4", "\"latent_channels\": 16", StringComparison.Ordinal));
                return folder;
            default: return _folder.File("missing.safetensors");
        }
    }
}
