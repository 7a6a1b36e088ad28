using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Numbers of diffusers' UNet. The tolerances stand in the fixtures' README and are never loosened.</summary>
public sealed class UNetParityTests
{
    private const double OutputTolerance = 1e-5;
    private const double GradientShare = 1e-4;

    public static TheoryData<string, bool> Cases()
    {
        var data = new TheoryData<string, bool>();
        foreach (var name in new[] { "b1_16x16", "b3_24x16", "b2_16x24_ctx227", "b1_13x10" })
        {
            data.Add(name, false);
            data.Add(name, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_TinySd15_AgreesWithTheReference(string name, bool withGradients)
    {
        using var scope = NewDisposeScope();
        using var golden = Open();
        using var unet = TinyModels.UNet();
        using var mode = set_grad_enabled(withGradients);
        var output = unet.call(golden[$"{name}.sample"], golden[$"{name}.timesteps"], golden[$"{name}.context"]);
        golden.AssertClose($"{name}.output", output, OutputTolerance);
    }

    [Fact]
    public void Forward_TinySd15_AgreesInside()
    {
        using var scope = NewDisposeScope();
        using var golden = Open();
        using var unet = TinyModels.UNet();
        var seen = new Dictionary<string, Tensor>();
        foreach (var (name, module) in unet.named_modules()) Watch(name, module, seen);
        using (no_grad()) unet.call(golden["b1_16x16.sample"], golden["b1_16x16.timesteps"], golden["b1_16x16.context"]);
        seen["time_proj"] = Sinusoid.Embed(golden["b1_16x16.timesteps"], 32, flipSinToCos: true, freqShift: 0);

        const string prefix = "b1_16x16.inner.";
        var wanted = golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.Equal(19, wanted.Count);
        foreach (var name in wanted)
        {
            Assert.True(seen.TryGetValue(name[prefix.Length..], out var value), $"no module {name[prefix.Length..]}");
            golden.AssertClose(name, value, OutputTolerance);
        }
    }

    [Theory]
    [InlineData("b1_16x16", false, false)]
    [InlineData("b1_16x16", false, true)]
    [InlineData("b1_16x16", true, true)]
    [InlineData("b3_24x16", false, false)]
    [InlineData("b3_24x16", false, true)]
    [InlineData("b3_24x16", true, true)]
    public void Backward_TinySd15_AgreesWithTheReference(string name, bool checkpointing, bool recompute)
    {
        using var scope = NewDisposeScope();
        using var golden = Open();
        using var unet = TinyModels.UNet();
        (unet.GradientCheckpointing, unet.RecomputeActivations) = (checkpointing, recompute);
        var sample = golden[$"{name}.sample"].requires_grad_();
        var context = golden[$"{name}.context"].requires_grad_();
        var output = unet.call(sample, golden[$"{name}.timesteps"], context);
        golden.AssertClose($"{name}.output", output, OutputTolerance);
        var loss = nn.functional.mse_loss(output, golden[$"{name}.target"]);
        golden.AssertClose($"{name}.loss", loss, OutputTolerance);
        loss.backward();

        golden.AssertClose($"{name}.grad_sample", sample.grad!, GradientShare, relativeToMax: true);
        golden.AssertClose($"{name}.grad_context", context.grad!, GradientShare, relativeToMax: true);
        var prefix = $"{name}.grad.";
        var parameters = unet.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var wanted = golden.Names.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(wanted);
        foreach (var key in wanted) golden.AssertClose(key, parameters[key[prefix.Length..]].grad!, GradientShare, relativeToMax: true);
        var total = Math.Sqrt(parameters.Values.Sum(p => p.grad!.to(ScalarType.Float64).pow(2).sum().ToDouble()));
        golden.AssertClose($"{name}.grad_norm_total", tensor((float)total), GradientShare, relativeToMax: true);
    }

    private static Golden Open() => Golden.Open("components", "tiny-sd15", "unet.safetensors");

    // Modules of every arity report what they return.
    private static void Watch(string name, nn.Module module, Dictionary<string, Tensor> seen)
    {
        switch (module)
        {
            case nn.Module<Tensor, Tensor> one: one.register_forward_hook((_, _, output) => Note(name, output, seen)); break;
            case nn.Module<Tensor, Tensor, Tensor> two: two.register_forward_hook((_, _, _, output) => Note(name, output, seen)); break;
            case nn.Module<Tensor, Tensor, Tensor,
                Tensor> three: three.register_forward_hook((_, _, _, _, output) => Note(name, output, seen)); break;
            case nn.Module<Tensor, Tensor, Tensor, Stack<Tensor>,
                Tensor> block: block.register_forward_hook((_, _, _, _, _, output) => Note(name, output, seen)); break;
        }
    }

    private static Tensor Note(string name, Tensor output, Dictionary<string, Tensor> seen)
    {
        seen[name] = output.clone().DetachFromDisposeScope();
        return null!;
    }
}
