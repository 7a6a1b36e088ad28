using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>However activations are kept or computed again, and whatever layout the inputs have, results and gradients are the
/// same.</summary>
public sealed class GradientFormTests
{
    [Theory]
    [InlineData(ScalarType.Float32, true, false)]
    [InlineData(ScalarType.Float32, false, true)]
    [InlineData(ScalarType.Float32, true, true)]
    [InlineData(ScalarType.BFloat16, true, false)]
    [InlineData(ScalarType.BFloat16, false, true)]
    [InlineData(ScalarType.BFloat16, true, true)]
    public void Backward_OfAHookedFrozenUNet_IsTheSameInEveryForm(ScalarType dtype, bool checkpointing, bool recompute)
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.UNet();
        unet.SetRequiresGrad(false);
        unet.to(dtype);
        var expected = Run(unet, checkpointing: false, recompute: false, AttentionBackend.Plain, strided: false);
        var actual = Run(unet, checkpointing, recompute, new ChunkedAttention(3000), strided: true);
        // Chunks of a product may round their sums differently; in bfloat16 that is a bit of the last place, carried through sixty layers.
        var share = dtype == ScalarType.Float32 ? 2e-4 : 0.1;
        GoldenComparison.AssertClose("output", expected.Output, actual.Output, dtype == ScalarType.Float32 ? 1e-5 : 0.05);
        Assert.InRange(((expected.Gradient - actual.Gradient).norm() / expected.Gradient.norm()).ToDouble(), 0, share);
        Assert.InRange(((expected.Factors - actual.Factors).norm() / expected.Factors.norm()).ToDouble(), 0, share);
    }

    /// <summary>A factor behind every linear layer and convolution, as adapters hook them; an odd size, one timestep for a batch of
    /// two.</summary>
    private static (Tensor Output, Tensor Gradient, Tensor Factors) Run(
        UNet2DConditionModel unet, bool checkpointing, bool recompute, AttentionBackend form, bool strided)
    {
        using var scope = NewDisposeScope();
        (unet.GradientCheckpointing, unet.RecomputeActivations, unet.Attention) = (checkpointing, recompute, form);
        using var random = new Generator(11);
        var sample = randn([2, 4, 13, 10], generator: random);
        var context = randn([2, 77, 48], generator: random);
        if (strided)
            (sample, context) = (sample.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
                context.transpose(1, 2).contiguous().transpose(1, 2));
        sample.requires_grad_(true);
        List<Tensor> factors = [];
        List<Action> hooks = [];
        foreach (var (_, module) in unet.named_modules())
        {
            if (module is not (Linear or Conv2d)) continue;
            var factor = ones(1, requires_grad: true);
            factors.Add(factor);
            hooks.Add(((nn.Module<Tensor, Tensor>)module).register_forward_hook((_, _, output) => output * factor.to(output.dtype)).remove);
        }

        var output = unet.call(sample, tensor(new long[] { 400 }), context);
        output.pow(2).mean().backward();
        hooks.ForEach(remove => remove());
        return (output.detach().MoveToOuterDisposeScope(), sample.grad!.clone().MoveToOuterDisposeScope(),
            cat([.. factors.Select(factor => factor.grad!)], 0).MoveToOuterDisposeScope());
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Backward_OfAHookedFrozenTextEncoder_IsTheSameCheckpointed(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        using var encoder = new ClipTextModel(ClipTextOptions.Tiny);
        encoder.SetRequiresGrad(false);
        encoder.to(dtype);
        var (expected, actual) = (Run(false), Run(true));
        GoldenComparison.AssertClose("factors", expected, actual, 1e-6 * expected.abs().max().ToDouble());

        Tensor Run(bool checkpointing)
        {
            using var inner = NewDisposeScope();
            encoder.GradientCheckpointing = checkpointing;
            List<Tensor> factors = [];
            List<Action> hooks = [];
            foreach (var (_, module) in encoder.named_modules())
            {
                if (module is not Linear linear) continue;
                var factor = ones(1, requires_grad: true);
                factors.Add(factor);
                hooks.Add(linear.register_forward_hook((_, _, output) => output * factor.to(output.dtype)).remove);
            }

            encoder.HiddenState(randint(0, 1000, [2, 77], dtype: ScalarType.Int64, generator: new Generator(2)), clipSkip: 2).pow(2)
                .mul(linspace(0, 1, 48)).mean().backward();
            hooks.ForEach(remove => remove());
            // The layer above the chosen one is not run: its factors have no gradient.
            Assert.Equal(4 * 6, factors.Count(factor => factor.grad is not null));
            return cat([.. factors.Where(factor => factor.grad is not null).Select(factor => factor.grad!)], 0).MoveToOuterDisposeScope();
        }
    }
}
