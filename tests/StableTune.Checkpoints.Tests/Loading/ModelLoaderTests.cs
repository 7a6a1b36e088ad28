using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class ModelLoaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly string _path;

    public ModelLoaderTests() => _path = FixtureModels.TinySd15(_folder);

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Load_TinySd15_HasAllPartsWithTheFilesWeights()
    {
        using var model = ModelLoader.Load(_path);

        Assert.Equal(ModelParts.All, model.Parts);
        Assert.Equal((_path, "sd_v1"), (model.Path, model.BaseModelVersion));
        Assert.Equal((1_688_292L, 212_839L, 193_152L), (Count(model.UNet), Count(model.Vae), Count(model.TextEncoder)));
        Assert.Equal(999, model.Tokenizer.EndId);
        AssertHolds(model.UNet, "unet/diffusion_pytorch_model.safetensors");
        AssertHolds(model.Vae, "vae/diffusion_pytorch_model.safetensors");
        AssertHolds(model.TextEncoder, "text_encoder/model.safetensors");
        foreach (var module in (nn.Module[])[model.UNet, model.Vae, model.TextEncoder])
        {
            Assert.False(module.training);
            Assert.All(module.parameters(), parameter => Assert.False(parameter.requires_grad));
        }
    }

    [Fact]
    public void Load_TinySd15_ReadsTheConfigurations()
    {
        using var model = ModelLoader.Load(_path);

        Assert.Equal([32, 32, 32, 64], model.UNet.Options.BlockOutChannels);
        Assert.Equal([8, 8, 8, 8], model.UNet.Options.AttentionHeads);
        Assert.Equal((48, 8), (model.UNet.Options.CrossAttentionDim, model.UNet.Options.NormNumGroups));
        Assert.Equal([16, 32, 16, 16], model.Vae.Options.BlockOutChannels);
        Assert.Equal(0.18215, model.Vae.Options.ScalingFactor);
        Assert.Equal(ClipTextOptions.Tiny, ((ClipTextModel)model.TextEncoder).Options);
        Assert.Equal(SchedulerOptions.Sd15, model.Scheduler);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Load_WeightType_ConvertsAllParts(ScalarType type)
    {
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { WeightType = type, VaeType = ScalarType.Float32 });
        Assert.All(model.UNet.parameters().Concat(model.TextEncoder.parameters()), parameter => Assert.Equal(type, parameter.dtype));
        Assert.All(model.Vae.parameters(), parameter => Assert.Equal(ScalarType.Float32, parameter.dtype));
    }

    [Fact]
    public void Load_MappedStorage_HoldsTheSameWeights()
    {
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { WeightType = ScalarType.Float16, Storage = WeightStorage.Mapped });
        AssertHolds(model.UNet, "unet/diffusion_pytorch_model.safetensors");
    }

    [Fact]
    public void Load_SomeParts_LeavesTheOthersOut()
    {
        Directory.Delete(_folder.File("tiny-sd15", "vae"), recursive: true);
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.UNet | ModelParts.TextEncoder });

        Assert.Equal(ModelParts.UNet | ModelParts.TextEncoder, model.Parts);
        Assert.Contains("ModelParts.Vae", Assert.Throws<InvalidOperationException>(() => model.Vae).Message, StringComparison.Ordinal);
        Assert.Empty(ModelLoader.Check(_path, new ModelLoadOptions { Parts = ModelParts.UNet }));
        Assert.NotEmpty(ModelLoader.Check(_path));
    }

    [Fact]
    public void Release_Part_LeavesTheOthers()
    {
        using var model = ModelLoader.Load(_path);
        model.ReleaseVae();
        Assert.Equal(ModelParts.UNet | ModelParts.TextEncoder, model.Parts);
        Assert.Throws<InvalidOperationException>(() => model.Vae);
    }

    [Fact]
    public void Load_Fp16VariantOnly_IsTaken()
    {
        Rename("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors");
        using (var plain = ModelLoader.Load(_path)) AssertHolds(plain.UNet, "unet/diffusion_pytorch_model.fp16.safetensors");
        using (var variant = ModelLoader.Load(_path, new ModelLoadOptions { Variant = "fp16" }))
            Assert.Equal(ModelParts.All, variant.Parts);
        Assert.Contains(ModelLoader.Check(_path, new ModelLoadOptions { Variant = "ema" }), problem =>
            problem.ToString().Contains("diffusion_pytorch_model.ema.safetensors", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_OldVaeAttentionNames_AreRenamed()
    {
        RewriteWeights("vae/diffusion_pytorch_model.safetensors", name => name.Contains("attentions.", StringComparison.Ordinal)
            ? name.Replace("to_q", "query", StringComparison.Ordinal).Replace("to_k", "key", StringComparison.Ordinal)
                .Replace("to_v", "value", StringComparison.Ordinal).Replace("to_out.0", "proj_attn", StringComparison.Ordinal)
            : name);
        Assert.Empty(ModelLoader.Check(_path));
        using var model = ModelLoader.Load(_path);
        using var expected = Golden.Open("models", "tiny-sd15", "vae", "diffusion_pytorch_model.safetensors");
        expected.AssertEqual("encoder.mid_block.attentions.0.to_out.0.weight",
            model.Vae.state_dict()["encoder.mid_block.attentions.0.to_out.0.weight"]);
    }

    [Fact]
    public void Load_TextEncoderNamesWithoutPrefix_AreTaken()
    {
        RewriteWeights("text_encoder/model.safetensors", name => name.Replace("text_model.", "", StringComparison.Ordinal));
        using var model = ModelLoader.Load(_path);
        using var expected = Golden.Open("models", "tiny-sd15", "text_encoder", "model.safetensors");
        expected.AssertEqual("text_model.final_layer_norm.weight", model.TextEncoder.state_dict()["text_model.final_layer_norm.weight"]);
    }

    [Fact]
    public void Load_Progress_GrowsToTheWhole()
    {
        var reports = new List<WorkProgress>();
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Progress = new Listener(reports.Add) });

        Assert.NotEmpty(reports);
        Assert.All(reports, report => Assert.Equal("loading", report.Stage));
        Assert.Equal(reports[^1].Total, reports[^1].Done);
        Assert.Equal(reports.Select(report => report.Done).Order(), reports.Select(report => report.Done));
    }

    [Fact]
    public void Load_Cancelled_Throws()
    {
        Assert.ThrowsAny<OperationCanceledException>(() =>
            ModelLoader.Load(_path, cancellationToken: new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData("v_prediction", true, "sd_v2_v")]
    [InlineData("epsilon", true, "sd_v2")]
    [InlineData("v_prediction", false, "sd_v1")]
    public void BaseModelVersion_FollowsProjectionAndPrediction(string prediction, bool linear, string expected)
    {
        Edit("unet/config.json", "\"use_linear_projection\": false", $"\"use_linear_projection\": {(linear ? "true" : "false")}");
        Edit("scheduler/scheduler_config.json", "\"epsilon\"", $"\"{prediction}\"");
        // The UNet's weights do not fit the changed configuration, the VAE's are enough.
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.Vae });
        Assert.Equal(expected, model.BaseModelVersion);
    }

    private static long Count(nn.Module module) => module.parameters().Sum(parameter => parameter.numel());

    private void AssertHolds(nn.Module module, string file)
    {
        using var golden = Golden.OpenFile(System.IO.Path.Combine(_path, file));
        var state = module.state_dict();
        foreach (var name in golden.Names.Where(name => !name.EndsWith("position_ids", StringComparison.Ordinal)))
            golden.AssertEqual(name, state[name]);
    }

    private void Rename(string from, string to) => File.Move(System.IO.Path.Combine(_path, from), System.IO.Path.Combine(_path, to));

    private void Edit(string file, string from, string to)
    {
        var path = System.IO.Path.Combine(_path, file);
        var text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    private void RewriteWeights(string file, Func<string, string> rename)
    {
        var path = System.IO.Path.Combine(_path, file);
        using var weights = WeightFile.Open(path);
        StateDictWriter.Save(path + ".new", weights.LoadAll().Select(entry => (rename(entry.Key), entry.Value)));
        File.Move(path + ".new", path, overwrite: true);
    }

    private sealed class Listener(Action<WorkProgress> report) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value)
        {
            lock (this) report(value);
        }
    }
}
