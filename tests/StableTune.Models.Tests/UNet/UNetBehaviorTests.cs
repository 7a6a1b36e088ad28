using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>What the UNet does besides the right numbers.</summary>
public sealed class UNetBehaviorTests
{
    [Fact]
    public void Forward_InBFloat16_AnswersInFloat32AndStaysClose()
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.UNet();
        var (sample, timesteps, context) = Inputs();
        using var frozen = no_grad();
        var exact = unet.call(sample, timesteps, context);
        unet.to(ScalarType.BFloat16);
        var rounded = unet.call(sample, timesteps, context);
        Assert.Equal(ScalarType.Float32, rounded.dtype);
        // bfloat16 has 8 bits; through sixty layers a percent or two of the whole is what remains.
        Assert.InRange(((exact - rounded).norm() / exact.norm()).ToDouble(), 1e-6, 0.05);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_WithFrozenWeights_ReachesAHookedLayerOnly(bool checkpointing)
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.UNet();
        unet.SetRequiresGrad(false);
        unet.GradientCheckpointing = checkpointing;
        var factor = ones(1, requires_grad: true);
        var layer = unet.named_modules().First(m => m.name == "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k").module;
        var calls = 0;
        using var _ = new Hook((Linear)layer, output =>
        {
            calls++;
            return output * factor;
        });
        var (sample, timesteps, context) = Inputs();
        unet.call(sample, timesteps, context).pow(2).mean().backward();
        Assert.Equal(checkpointing ? 2 : 1, calls);
        Assert.NotEqual(0, factor.grad!.ToSingle());
        Assert.All(unet.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Fact]
    public void Forward_OnALargeMap_AgreesWhicheverTheFormOfAttention()
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.UNet();
        using var frozen = no_grad();
        var (sample, timesteps, context) = (
            randn([1, 4, 24, 24], generator: new Generator(3)), tensor(new long[] { 500 }),
            randn([1, 77, 48], generator: new Generator(4)));
        unet.Attention = AttentionBackend.Plain;
        var plain = unet.call(sample, timesteps, context);
        unet.Attention = new ChunkedAttention(1000);
        GoldenComparison.AssertClose("chunked", plain, unet.call(sample, timesteps, context), 1e-5);
    }

    [Fact]
    public void Forward_WithAForeignShape_NamesTheArgumentAndTheShape()
    {
        using var scope = NewDisposeScope();
        using var unet = TinyModels.Build(() => new UNet2DConditionModel(UNetOptions.Tiny));
        var (sample, timesteps, context) = Inputs();
        var wrong = Assert.Throws<ArgumentException>(() =>
            unet.call(sample[TensorIndex.Slice(), TensorIndex.Slice(0, 3)], timesteps, context));
        Assert.Contains("sample is of shape [2, 3, 8, 8]", wrong.Message);
        Assert.Contains("encoderHiddenStates",
            Assert.Throws<ArgumentException>(() => unet.call(sample, timesteps, zeros(2, 77, 768))).Message);
        Assert.Contains("timesteps", Assert.Throws<ArgumentException>(() => unet.call(sample, zeros(3), context)).Message);
        Assert.Contains("added", Assert.Throws<ArgumentException>(() =>
            unet.call(sample, timesteps, context, new AddedConditions(zeros(2, 4), zeros(2, 6)))).Message);
    }

    [Fact]
    public void Validate_WithSeveralFaults_NamesEachOption()
    {
        var options = UNetOptions.Tiny with { AttentionHeads = [8, 8, 8, 7],
            UpBlockTypes = ["UpBlock2D", "x", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], LayersPerBlock = 0 };
        var thrown = Assert.Throws<InvalidOptionsException>(() => new UNet2DConditionModel(options));
        Assert.Equal(["UNetOptions.LayersPerBlock", "UNetOptions.AttentionHeads[3]", "UNetOptions.UpBlockTypes[1]"],
            thrown.Problems.Select(p => p.Option));
        Assert.All([UNetOptions.Sd15, UNetOptions.Sd21, UNetOptions.Sdxl, UNetOptions.Tiny], preset => Assert.Empty(preset.Validate()));
    }

    private static (Tensor Sample, Tensor Timesteps, Tensor Context) Inputs()
    {
        using var generator = new Generator(1);
        return (randn([2, 4, 8, 8], generator: generator), tensor(new long[] { 10, 900 }), randn([2, 77, 48], generator: generator));
    }

    private sealed class Hook : IDisposable
    {
        private readonly Action _remove;

        internal Hook(Linear layer, Func<Tensor, Tensor> replace) =>
            _remove = layer.register_forward_hook((_, _, output) => replace(output)).remove;

        public void Dispose() => _remove();
    }
}
