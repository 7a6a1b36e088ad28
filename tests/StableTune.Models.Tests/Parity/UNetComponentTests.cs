using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>The UNets of SD 2.x and SDXL, loaded from folders, against diffusers'. The tolerances stand in the fixtures' README and are
/// never loosened.</summary>
public sealed class UNetComponentTests : IDisposable
{
    private const double OutputTolerance = 1e-5;
    private const double GradientShare = 1e-4;
    private static readonly string[] Cases = ["b1_16x16", "b3_24x16", "b2_16x24_ctx227", "b1_13x10"];

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("tiny-sd21-v", false)]
    [InlineData("tiny-sd21-v", true)]
    [InlineData("tiny-sdxl", false)]
    [InlineData("tiny-sdxl", true)]
    public void Forward_EveryCase_AgreesWithTheReference(string name, bool withGradients)
    {
        using var golden = Golden.Open("components", name, "unet.safetensors");
        using var model = Load(name);
        using var mode = set_grad_enabled(withGradients);
        foreach (var sample in Cases) golden.AssertClose($"{sample}.output", Predict(model.UNet, golden, sample), OutputTolerance);
    }

    [Fact]
    public void Forward_TinySdxl_AgreesInside()
    {
        using var golden = Golden.Open("components", "tiny-sdxl", "unet.safetensors");
        using var model = Load("tiny-sdxl");
        var seen = new Dictionary<string, Tensor>();
        foreach (var (name, module) in model.UNet.named_modules()) Watch(name, module, seen);
        using (no_grad()) Predict(model.UNet, golden, "b1_16x16");
        seen["time_proj"] = Sinusoid.Embed(golden["b1_16x16.timesteps"], 16, flipSinToCos: true, freqShift: 0);

        const string prefix = "b1_16x16.inner.";
        var wanted = golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.Equal(18, wanted.Count);
        foreach (var name in wanted)
        {
            Assert.True(seen.TryGetValue(name[prefix.Length..], out var value), $"no module {name[prefix.Length..]}");
            golden.AssertClose(name, value, OutputTolerance);
        }
    }

    [Theory]
    [InlineData("tiny-sd21-v", "b1_16x16", false)]
    [InlineData("tiny-sd21-v", "b3_24x16", true)]
    [InlineData("tiny-sdxl", "b1_16x16", false)]
    [InlineData("tiny-sdxl", "b3_24x16", false)]
    [InlineData("tiny-sdxl", "b3_24x16", true)]
    public void Backward_AgreesWithTheReference(string name, string sample, bool checkpointing)
    {
        using var golden = Golden.Open("components", name, "unet.safetensors");
        using var model = Load(name);
        model.UNet.SetRequiresGrad(true);
        model.UNet.GradientCheckpointing = checkpointing;
        var (latents, context) = (golden[$"{sample}.sample"].requires_grad_(), golden[$"{sample}.context"].requires_grad_());
        var output = Predict(model.UNet, golden, sample);
        golden.AssertClose($"{sample}.output", output, OutputTolerance);
        var loss = nn.functional.mse_loss(output, golden[$"{sample}.target"]);
        golden.AssertClose($"{sample}.loss", loss, OutputTolerance);
        loss.backward();

        golden.AssertClose($"{sample}.grad_sample", latents.grad!, GradientShare, relativeToMax: true);
        golden.AssertClose($"{sample}.grad_context", context.grad!, GradientShare, relativeToMax: true);
        var prefix = $"{sample}.grad.";
        var parameters = model.UNet.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var wanted = golden.Names.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(wanted);
        foreach (var key in wanted) golden.AssertClose(key, parameters[key[prefix.Length..]].grad!, GradientShare, relativeToMax: true);
        var total = Math.Sqrt(parameters.Values.Sum(p => p.grad!.to(ScalarType.Float64).pow(2).sum().ToDouble()));
        golden.AssertClose($"{sample}.grad_norm_total", tensor((float)total), GradientShare, relativeToMax: true);
    }

    [Fact]
    public void Forward_SdxlWithoutAddedConditions_SaysWhatIsMissing()
    {
        using var golden = Golden.Open("components", "tiny-sdxl", "unet.safetensors");
        using var model = Load("tiny-sdxl");
        var error = Assert.Throws<ArgumentException>(() =>
            model.UNet.call(golden["b1_16x16.sample"], golden["b1_16x16.timesteps"], golden["b1_16x16.context"]));
        Assert.Contains("time ids", error.Message, StringComparison.Ordinal);
    }

    private static Tensor Predict(UNet2DConditionModel unet, Golden golden, string sample)
    {
        var added = golden.Contains($"{sample}.time_ids")
            ? new AddedConditions(golden[$"{sample}.text_embeds"], golden[$"{sample}.time_ids"]) : null;
        return unet.call(golden[$"{sample}.sample"], golden[$"{sample}.timesteps"], golden[$"{sample}.context"], added);
    }

    private StableDiffusionModel Load(string name) => ModelLoader.Load(
        name == "tiny-sdxl" ? FixtureModels.TinySdxl(_folder) : FixtureModels.TinySd21V(_folder),
            new ModelLoadOptions { Parts = ModelParts.UNet });

    // Modules of every arity report what they return.
    private static void Watch(string name, nn.Module module, Dictionary<string, Tensor> seen)
    {
        Tensor Note(Tensor output)
        {
            seen[name] = output.clone().DetachFromDisposeScope();
            return null!;
        }

        switch (module)
        {
            case nn.Module<Tensor, Tensor> one: one.register_forward_hook((_, _, output) => Note(output)); break;
            case nn.Module<Tensor, Tensor, Tensor> two: two.register_forward_hook((_, _, _, output) => Note(output)); break;
            case nn.Module<Tensor, Tensor, Tensor, Tensor> three: three.register_forward_hook((_, _, _, _, output) => Note(output)); break;
            case nn.Module<Tensor, Tensor, Tensor, Stack<Tensor>,
                Tensor> block: block.register_forward_hook((_, _, _, _, _, output) => Note(output)); break;
        }
    }
}
