using StableTune.Testing;
using StableTune.Tensors;

namespace StableTune.Checkpoints.Tests;

public sealed class ModelLoaderBadInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _path;

    public ModelLoaderBadInputTests() => _path = FixtureModels.TinySd15(_folder);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Check_GoodModel_FindsNothing() => Assert.Empty(ModelLoader.Check(_path));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Check_NoPath_AsksForAModel(string? path) =>
        Assert.Contains("required", Assert.Single(ModelLoader.Check(path)).ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("nowhere")]
    [InlineData("nowhere.safetensors")]
    [InlineData("nowhere/model.ckpt")]
    public void Load_NeitherFileNorFolder_SaysSo(string name)
    {
        AssertFault(_folder.File(name), Path.GetFileName(name), "there is no such file or folder");
        AssertFault(name, Path.GetFileName(name), "there is no such file or folder");
    }

    [Theory]
    [InlineData("x", "not a")]
    [InlineData("", "empty")]
    public void Load_FileOfNoKind_SaysSo(string text, string expected)
    {
        File.WriteAllText(_folder.File("model.safetensors"), text);
        AssertFault(_folder.File("model.safetensors"), "model.safetensors", expected);
    }

    [Fact]
    public void Load_FileThatMayNotBeRead_SaysSo()
    {
        const string writeOnly = "/sys/bus/cpu/drivers_probe";                          // which root may not read either
        if (OperatingSystem.IsWindows() || (Environment.IsPrivilegedProcess && !File.Exists(writeOnly))) return;
        var path = Path.Combine(_path, "unet", "diffusion_pytorch_model.safetensors");
        if (Environment.IsPrivilegedProcess)
        {
            File.Delete(path);
            File.CreateSymbolicLink(path, writeOnly);
        }
        else File.SetUnixFileMode(path, UnixFileMode.None);

        AssertFault(_path, "diffusion_pytorch_model.safetensors", "may not be read");
    }

    [Fact]
    public void Load_FolderWithoutIndex_SaysSo() => AssertFault(_folder.Folder("empty"), "empty", "model_index.json");

    [Theory]
    [InlineData("model_index.json", "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusionXLPipeline")]
    [InlineData("model_index.json", "UNet2DConditionModel", "UNet3DConditionModel", "UNet3DConditionModel")]
    [InlineData("model_index.json", "{", "[", "not JSON")]
    [InlineData("model_index.json", "StableDiffusionPipeline", "\\ud800", "not JSON")]
    [InlineData("unet/config.json", "\"DownBlock2D\"", "\"\\udc00\"", "not JSON")]
    [InlineData("scheduler/scheduler_config.json", "\"prediction_type\"", "\"\\ud800\"", "not JSON")]
    [InlineData("scheduler/scheduler_config.json", "\"epsilon\"", "\"omega\"", "epsilon, v_prediction, sample")]
    [InlineData("unet/config.json", "\"UNet2DConditionModel\"", "\"SD3Transformer2DModel\"", "SD3Transformer2DModel")]
    [InlineData("unet/config.json", "\"norm_num_groups\": 8", "\"norm_num_groups\": \"eight\"", "norm_num_groups")]
    [InlineData("unet/config.json", "\"norm_num_groups\": 8", "\"norm_num_groups\": 7", "NormNumGroups")]
    [InlineData("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 9", "conv_in.weight: the model has [32, 9, 3, 3]")]
    [InlineData("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 7", "takes 7 channels")]
    [InlineData("unet/config.json", "\"out_channels\": 4", "\"out_channels\": 8", "gives 8")]
    [InlineData("unet/config.json", "\"in_channels\": 4", "\"in_channels\": NaN", "not JSON")]
    [InlineData("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 2147483647", "more than any model has")]
    [InlineData("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 1e300", "in_channels")]
    [InlineData("unet/config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 100000", "more than any model has")]
    [InlineData("unet/config.json", "\"cross_attention_dim\": 48", "\"cross_attention_dim\": 1000000", "width 1000000")]
    [InlineData("unet/config.json", "\"norm_num_groups\": 8", "\"norm_num_groups\": 8, \"transformer_layers_per_block\": 2000000000",
        "more than any model has")]
    [InlineData("text_encoder/config.json", "\"num_hidden_layers\": 5", "\"num_hidden_layers\": 1000000", "more than any model has")]
    [InlineData("text_encoder/config.json", "\"intermediate_size\": 192", "\"intermediate_size\": 999999", "[999999, 48]")]
    [InlineData("scheduler/scheduler_config.json", "PNDMScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler")]
    [InlineData("unet/config.json", "\"cross_attention_dim\": 48", "\"cross_attention_dim\": 64", "width 64")]
    [InlineData("unet/config.json", "\"cross_attention_dim\": 48", "\"cross_attention_dim\": [48, 64]", "48, 64")]
    [InlineData("unet/config.json", "\"use_linear_projection\": false", "\"class_embed_type\": \"timestep\"", "class_embed_type")]
    [InlineData("unet/config.json", "\"act_fn\": \"silu\"", "\"act_fn\": \"mish\"", "mish")]
    [InlineData("unet/config.json", "\"DownBlock2D\"", "\"AttnDownBlock2D\"", "AttnDownBlock2D")]
    [InlineData("unet/config.json", "\"block_out_channels\": [", "\"block_out_channels\": [[1],", "block_out_channels")]
    [InlineData("unet/config.json", "\"use_linear_projection\": false", "\"use_linear_projection\": true", "proj_in.weight")]
    [InlineData("vae/config.json", "\"AutoencoderKL\"", "\"VQModel\"", "VQModel")]
    [InlineData("vae/config.json", "\"scaling_factor\": 0.18215", "\"scaling_factor\": true", "scaling_factor")]
    [InlineData("text_encoder/config.json", "\"CLIPTextModel\"", "\"T5EncoderModel\"", "T5EncoderModel")]
    [InlineData("text_encoder/config.json", "\"quick_gelu\"", "\"relu\"", "relu")]
    [InlineData("text_encoder/config.json", "\"num_hidden_layers\": 5", "\"num_hidden_layers\": 6", "layers.5.")]
    [InlineData("text_encoder/config.json", "\"num_hidden_layers\": 5", "\"num_hidden_layers\": 4", "layers.4.")]
    [InlineData("text_encoder/config.json", "\"intermediate_size\": 192", "\"intermediate_size\": 191", "[191, 48]")]
    [InlineData("scheduler/scheduler_config.json", "\"epsilon\"", "\"flow\"", "flow")]
    [InlineData("scheduler/scheduler_config.json", "0.012", "1.2", "BetaEnd")]
    [InlineData("tokenizer/merges.txt", "i n\n", "i n x\n", "line 2")]
    public void Load_WrongConfiguration_NamesFileAndValue(string file, string from, string to, string expected)
    {
        Edit(file, from, to);
        AssertFault(_path, Path.GetDirectoryName(file)!, expected);
    }

    [Theory]
    [InlineData("vae/config.json", "\"latent_channels\": 4", "\"latent_channels\": 16", "unet", "latents have 16")]
    [InlineData("text_encoder/config.json", "\"vocab_size\": 1000", "\"vocab_size\": 999", "tokenizer", "ids up to 999")]
    [InlineData("text_encoder/config.json", "\"max_position_embeddings\": 77", "\"max_position_embeddings\": 32", "text_encoder",
        "32 tokens")]
    public void Load_PartsOfDifferentModels_NamesBothSizes(string file, string from, string to, string where, string expected)
    {
        Edit(file, from, to);
        AssertFault(_path, where, expected);
    }

    [Theory]
    [InlineData("model_index.json")]
    [InlineData("unet/config.json")]
    [InlineData("unet/diffusion_pytorch_model.safetensors")]
    [InlineData("vae/config.json")]
    [InlineData("vae/diffusion_pytorch_model.safetensors")]
    [InlineData("text_encoder/model.safetensors")]
    [InlineData("tokenizer/vocab.json")]
    [InlineData("tokenizer/merges.txt")]
    [InlineData("scheduler/scheduler_config.json")]
    public void Load_FileMissing_NamesIt(string file)
    {
        File.Delete(Path.Combine(_path, file));
        AssertFault(_path, Path.GetFileName(file), file == "model_index.json" ? "no model_index.json" : "missing");
    }

    [Theory]
    [InlineData("unet")]
    [InlineData("vae")]
    [InlineData("text_encoder")]
    [InlineData("tokenizer")]
    [InlineData("scheduler")]
    public void Load_PartMissing_NamesIt(string part)
    {
        Directory.Delete(Path.Combine(_path, part), recursive: true);
        AssertFault(_path, part, "missing");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1000)]
    [InlineData(-1)]
    [InlineData(-1000)]
    public void Load_TruncatedWeights_NamesTheFile(int length)
    {
        var path = Path.Combine(_path, "unet", "diffusion_pytorch_model.safetensors");
        using (var stream = File.OpenWrite(path)) stream.SetLength(length >= 0 ? length : stream.Length + length);
        AssertFault(_path, "diffusion_pytorch_model.safetensors", "");
    }

    [Theory]
    [InlineData("flax_model.msgpack", "Flax")]
    [InlineData("model.ema.safetensors", "Variant")]
    public void Load_OtherWeightsOnly_SaysWhatIsThere(string file, string expected)
    {
        var path = Path.Combine(_path, "text_encoder");
        File.Move(Path.Combine(path, "model.safetensors"), Path.Combine(path, file));
        AssertFault(_path, file, expected);
    }

    [Fact]
    public void Load_FolderNamedLikeWeights_SaysSo()
    {
        var path = Path.Combine(_path, "vae", "diffusion_pytorch_model.safetensors");
        File.Delete(path);
        Directory.CreateDirectory(path);
        AssertFault(_path, "diffusion_pytorch_model.safetensors", "this is a folder");
    }

    [Fact]
    public void Load_IndexThatLeavesTheFolder_IsRefused()
    {
        var folder = Path.Combine(_path, "unet");
        File.Move(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), Path.Combine(_path, "outside.safetensors"));
        File.WriteAllText(Path.Combine(folder, "diffusion_pytorch_model.safetensors.index.json"),
            "{\"weight_map\": {\"conv_in.weight\": \"../outside.safetensors\"}}");
        AssertFault(_path, "index.json", "../outside.safetensors");
    }

    [Fact]
    public void Load_MissingAndUnexpectedTensors_ListsBoth()
    {
        var path = Path.Combine(_path, "vae", "diffusion_pytorch_model.safetensors");
        using var scope = NewDisposeScope();
        using (var weights = WeightFile.Open(path))
            StateDictWriter.Save(path + ".new",
                weights.LoadAll().Select(entry => (entry.Key.Replace("quant_conv", "odd_conv", StringComparison.Ordinal), entry.Value)));
        File.Move(path + ".new", path, overwrite: true);

        var error = Assert.Throws<WeightsDoNotFitException>(() => ModelLoader.Load(_path));
        Assert.Equal(["quant_conv.bias", "quant_conv.weight"], error.Report.Missing.Where(name => name.StartsWith('q')).Order());
        Assert.Contains("odd_conv.weight", error.Report.Unexpected);
    }

    [Fact]
    public void Check_SeveralFaults_FindsAll()
    {
        File.Delete(Path.Combine(_path, "tokenizer", "vocab.json"));
        File.Delete(Path.Combine(_path, "vae", "config.json"));
        File.Delete(Path.Combine(_path, "unet", "diffusion_pytorch_model.safetensors"));
        Assert.Equal(3, ModelLoader.Check(_path).Count);
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(_path));
        Assert.Contains("3 faults", error.Message, StringComparison.Ordinal);
        Assert.Contains("vocab.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_Impossible_AreNamed()
    {
        var options = new ModelLoadOptions { WeightType = ScalarType.Int64, VaeType = ScalarType.Bool, Parts = 0, Variant = "../x" };
        Assert.Equal(4, ModelLoader.Check(_path, options).Count);
        Assert.Equal(4, Assert.Throws<InvalidOptionsException>(() => ModelLoader.Load(_path, options)).Problems.Count);
    }

    private void Edit(string file, string from, string to)
    {
        var path = Path.Combine(_path, file);
        var text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    // Loading throws and checking reports the same, both naming file and fault.
    private static void AssertFault(string path, string where, string expected)
    {
        var error = Assert.ThrowsAny<InvalidFileException>(() => ModelLoader.Load(path));
        Assert.Contains(where, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);

        var problems = string.Join('\n', ModelLoader.Check(path));
        Assert.Contains(where, problems, StringComparison.Ordinal);
        Assert.Contains(expected, problems, StringComparison.Ordinal);
    }
}
