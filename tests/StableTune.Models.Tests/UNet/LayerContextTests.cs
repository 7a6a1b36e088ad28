using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>A UNet whose attention layers are given a context each.</summary>
public sealed class LayerContextTests : IDisposable
{
    private static readonly string[] s_layers =
    [
        "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID", "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08", "OUT09", "OUT10",
        "OUT11",
    ];

    private readonly UNet2DConditionModel _unet = TinyModels.UNet();
    private readonly Generator _random = new(7);

    public void Dispose()
    {
        _unet.Dispose();
        _random.Dispose();
    }

    [Fact]
    public void Names_AreTheBlocksThatAttendToTheText()
    {
        Assert.Equal(s_layers, CrossAttentionLayers.Of(UNetOptions.Sd15));
        Assert.Equal(s_layers, CrossAttentionLayers.Of(UNetOptions.Sd21));
        Assert.Equal(
            ["IN04", "IN05", "IN07", "IN08", "MID", "OUT00", "OUT01", "OUT02", "OUT03", "OUT04", "OUT05"],
            CrossAttentionLayers.Of(UNetOptions.Sdxl));
    }

    [Fact]
    public void EqualContexts_GiveWhatOneContextGives()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var (sample, time, context) = Inputs();
        var one = _unet.call(sample, time, context);
        var each = _unet.call(sample, time, context.unsqueeze(1).expand(2, 16, 77, 48));
        Assert.True(one.allclose(each, 1e-6, 1e-6), "contexts of layers are not handed on as one context is");
    }

    [Fact]
    public void EachLayer_TakesItsOwnContext_AlsoWhenCheckpointed()
    {
        using var outer = NewDisposeScope();
        var (sample, time, context) = Inputs();
        float[] Gradients(bool checkpointed)
        {
            using var scope = NewDisposeScope();
            _unet.GradientCheckpointing = checkpointed;
            var contexts = context.unsqueeze(1).repeat(1, 16, 1, 1).detach().requires_grad_();
            _unet.call(sample, time, contexts).pow(2).mean().backward();
            return contexts.grad!.pow(2).sum([0, 2, 3]).data<float>().ToArray();
        }

        var plain = Gradients(false);
        Assert.Equal(16, plain.Length);
        Assert.All(plain, gradient => Assert.True(gradient > 0));
        Assert.All(plain.Zip(Gradients(true)), pair => Assert.Equal(pair.First, pair.Second, pair.First * 1e-3));
    }

    [Fact]
    public void TheKthContext_IsThatOfTheKthTransformer()
    {
        using var scope = NewDisposeScope();
        var (sample, time, context) = Inputs();
        string[] transformers = [.. from block in new[] { "down_blocks.0", "down_blocks.1", "down_blocks.2", "mid_block", "up_blocks.1",
            "up_blocks.2", "up_blocks.3" }
            from layer in Enumerable.Range(0, block[0] == 'd' ? 2 : block[0] == 'm' ? 1 : 3)
            select $"{block}.attentions.{layer}."];
        Assert.Equal(16, transformers.Length);
        foreach (var k in new[] { 0, 5, 6, 7, 15 })
        {
            // Only the k-th transformer is given a text at all: its keys alone get gradients from the text.
            var contexts = zeros(2, 16, 77, 48);
            contexts.select(1, k).copy_(context);
            foreach (var (_, parameter) in _unet.named_parameters()) parameter.requires_grad_(true);
            _unet.call(sample, time, contexts).pow(2).mean().backward();
            string[] reached = [.. _unet.named_parameters()
                .Where(entry => entry.name.EndsWith("attn2.to_v.weight", StringComparison.Ordinal))
                .Where(entry => entry.parameter.grad!.abs().max().item<float>() > 0).Select(entry => entry.name)];
            Assert.StartsWith(transformers[k], Assert.Single(reached), StringComparison.Ordinal);
            _unet.zero_grad();
        }
    }

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public void AnotherNumberOfContexts_IsRefused(int layers)
    {
        using var scope = NewDisposeScope();
        var (sample, time, context) = Inputs();
        var error = Assert.Throws<ArgumentException>(() =>
            _unet.call(sample, time, context.unsqueeze(1).repeat(1, layers, 1, 1)));
        Assert.Contains("[2, 16, L, 48]", error.Message, StringComparison.Ordinal);
    }

    private (Tensor Sample, Tensor Time, Tensor Context) Inputs() => (randn([2, 4, 16, 16], generator: _random),
        tensor(new long[] { 10, 700 }), randn([2, 77, 48], generator: _random));
}
