namespace StableTune.LibTorch.Tests;

public sealed class FunctionalTests
{
    private static Tensor Double(params double[] values) => tensor(values);

    [Fact]
    public void Activations_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = Double(-2, 0, 1);
        Close.To(nn.functional.relu(x), [0, 0, 1], 0);
        Close.To(nn.functional.leaky_relu(x), [-0.02, 0, 1], 1e-15);
        Close.To(nn.functional.leaky_relu(x, 0.2), [-0.4, 0, 1], 1e-15);
        Close.To(nn.functional.silu(x), [-2 / (1 + Math.Exp(2)), 0, 1 / (1 + Math.Exp(-1))], 1e-15);
        // Φ(1) = 0.841344746068543, Φ(-2) = 0.022750131948179.
        Close.To(nn.functional.gelu(x), [-0.045500263896358, 0, 0.841344746068543], 1e-14);
        var tanh = Math.Tanh(Math.Sqrt(2 / Math.PI) * 1.044715);
        Close.To(nn.functional.gelu(x, "tanh")[2], [0.5 * (1 + tanh)], 1e-14);
        Close.To(engine.quick_gelu(x), [-2 / (1 + Math.Exp(3.404)), 0, 1 / (1 + Math.Exp(-1.702))], 1e-15);
        Assert.Throws<ArgumentException>(() => nn.functional.gelu(x, "fast"));
        Assert.Throws<ArgumentException>(() => nn.GELU("fast"));
        using var tanhGelu = nn.GELU("tanh");
        Close.To(tanhGelu.call(x), nn.functional.gelu(x, "tanh"), 0);
    }

    [Fact]
    public void Activations_InPlace_ChangeTheInput()
    {
        using var scope = NewDisposeScope();
        var x = Double(-1, 2);
        Close.To(nn.functional.relu(x, inplace: true), [0, 2], 0);
        Close.To(x, [0, 2], 0);
        using var silu = nn.SiLU(inplace: true);
        silu.call(x);
        Close.To(x, [0, 2 / (1 + Math.Exp(-2))], 1e-15);
    }

    [Fact]
    public void Activations_Gradients()
    {
        using var scope = NewDisposeScope();
        var x = Double(-1.3, 0.2, 2.1, -0.4).reshape(2, 2);
        GradientCheck.Of(p => nn.functional.silu(p[0]), x);
        GradientCheck.Of(p => nn.functional.gelu(p[0]), x);
        GradientCheck.Of(p => nn.functional.gelu(p[0], "tanh"), x);
        GradientCheck.Of(p => engine.quick_gelu(p[0]), x);
        GradientCheck.Of(p => nn.functional.softmax(p[0], -1), x);
        GradientCheck.Of(p => nn.functional.log_softmax(p[0], 0), x);
        GradientCheck.Of(p => nn.functional.normalize(p[0]), x);
        GradientCheck.Of(p => nn.functional.leaky_relu(p[0], 0.3), x);
    }

    [Fact]
    public void Softmax_ByHand()
    {
        using var scope = NewDisposeScope();
        var sum = 1 + Math.Exp(-1) + Math.Exp(-2);
        var x = tensor([1f, 2f, 3f], [1, 3]);
        Close.To(nn.functional.softmax(x, 1, ScalarType.Float64), [Math.Exp(-2) / sum, Math.Exp(-1) / sum, 1 / sum], 1e-15);
        Close.To(nn.functional.log_softmax(x, 1), [-2 - Math.Log(sum), -1 - Math.Log(sum), -Math.Log(sum)], 1e-6);
    }

    [Fact]
    public void Losses_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = Double(0.5, 3);
        var y = zeros_like(x);
        Close.To(nn.functional.mse_loss(x, y), [4.625], 1e-15);
        Close.To(nn.functional.mse_loss(x, y, nn.Reduction.None), [0.25, 9], 1e-15);
        Close.To(nn.functional.l1_loss(x, y, nn.Reduction.Sum), [3.5], 1e-15);
        Close.To(nn.functional.huber_loss(x, y, reduction: nn.Reduction.None), [0.125, 2.5], 1e-15);
        Close.To(nn.functional.huber_loss(x, y, 2, nn.Reduction.None), [0.125, 4], 1e-15);
        Close.To(nn.functional.smooth_l1_loss(x, y, nn.Reduction.None, beta: 2), [0.0625, 2], 1e-15);
        GradientCheck.Of(p => nn.functional.huber_loss(p[0], p[1]), x, y);
        GradientCheck.Of(p => nn.functional.smooth_l1_loss(p[0], p[1], nn.Reduction.None), x, y);
    }

    [Fact]
    public void CrossEntropy_ByHand()
    {
        using var scope = NewDisposeScope();
        var logits = Double(1, 2, 3, 0, 0, 0).reshape(2, 3);
        var target = tensor([2L, -100L], [2]);
        var loss = Math.Log(1 + Math.Exp(-1) + Math.Exp(-2));
        Close.To(nn.functional.cross_entropy(logits, target), [loss], 1e-15);
        Close.To(nn.functional.cross_entropy(logits, target, reduction: nn.Reduction.None), [loss, 0], 1e-15);
        // Smoothing takes 0.3 of the target to the mean over the classes, which is loss + 1 here.
        Close.To(nn.functional.cross_entropy(logits, target, label_smoothing: 0.3), [0.7 * loss + 0.3 * (loss + 1)], 1e-15);
    }

    [Fact]
    public void NormalizeAndCosineSimilarity_ByHand()
    {
        using var scope = NewDisposeScope();
        Close.To(nn.functional.normalize(Double(3, 4, 0, 0).reshape(2, 2)), [0.6, 0.8, 0, 0], 1e-15);
        Close.To(nn.functional.normalize(Double(3, 4).reshape(1, 2), p: double.PositiveInfinity), [0.75, 1], 1e-15);
        var cosine = nn.functional.cosine_similarity(Double(1, 0, 0, 2).reshape(2, 2), Double(1, 1, 1, 0).reshape(2, 2));
        Close.To(cosine, [Math.Sqrt(0.5), 0], 1e-15);
    }

    [Fact]
    public void OneHot_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1L, 0L], [2]);
        Close.To(nn.functional.one_hot(x), [0, 1, 1, 0], 0);
        Assert.Equal([2L, 5], nn.functional.one_hot(x, 5).shape);
    }

    [Fact]
    public void Pools_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = arange(16, ScalarType.Float64).reshape(1, 1, 4, 4);
        Close.To(nn.functional.avg_pool2d(x, 2), [2.5, 4.5, 10.5, 12.5], 0);
        Close.To(nn.functional.avg_pool2d(x, 2, stride: 4, padding: 1), [0, 0.75, 3, 3.75], 0);
        Close.To(nn.functional.max_pool2d(x, 2), [5, 7, 13, 15], 0);
        Close.To(nn.functional.max_pool2d(x, 2, stride: 1), [5, 6, 7, 9, 10, 11, 13, 14, 15], 0);
        var row = x.narrow(2, 0, 1);
        Close.To(nn.functional.avg_pool2d(row, [1, 2], padding: [0, 1], count_include_pad: false), [0, 1.5, 3], 0);
        Close.To(nn.functional.avg_pool2d(row, [1, 2], padding: [0, 1], divisor_override: 1), [0, 3, 3], 0);
    }

    [Fact]
    public void Unfold_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = arange(9, ScalarType.Float64).reshape(1, 1, 3, 3);
        Close.To(nn.functional.unfold(x, 2), [0, 1, 3, 4, 1, 2, 4, 5, 3, 4, 6, 7, 4, 5, 7, 8], 0);
        Assert.Equal([1L, 2, 6], nn.functional.unfold(x, (1, 2), stride: (1, 1)).shape);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Attention_IsTheFormula(bool causal)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (Random(2, 3, 4, 5), Random(2, 3, 4, 5), Random(2, 3, 4, 6));
        var scores = einsum("bhle,bhse->bhls", q, k) / Math.Sqrt(5);
        var mask = ones([4, 4], ScalarType.Bool).tril();
        if (causal) scores = scores.masked_fill(mask.logical_not(), double.NegativeInfinity);
        var expected = einsum("bhls,bhse->bhle", scores.softmax(-1), v);
        Close.To(nn.functional.scaled_dot_product_attention(q, k, v, is_causal: causal), expected, 1e-14);
        Close.To(nn.functional.SoftmaxAttention(q, k, v, null, 0, causal), expected, 1e-14);
        if (causal) Close.To(nn.functional.scaled_dot_product_attention(q, k, v, mask), expected, 1e-14);
        GradientCheck.Of(p => nn.functional.scaled_dot_product_attention(p[0], p[1], p[2], is_causal: causal), q, k, v);
    }

    [Fact]
    public void Attention_WithAdditiveMask_AddsIt()
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (Random(1, 2, 3), Random(1, 2, 3), Random(1, 2, 3));
        var bias = Double(0, double.NegativeInfinity, double.NegativeInfinity, 0).reshape(2, 2);
        Close.To(nn.functional.scaled_dot_product_attention(q, k, v, bias), v, 1e-15);
        Assert.Throws<ArgumentException>(() => nn.functional.scaled_dot_product_attention(q, k, v, bias, is_causal: true));
        Close.To(nn.functional.scaled_dot_product_attention(q, k, v, p: 1), zeros_like(v), 0);
    }

    private static Tensor Random(params long[] shape) => randn(shape, ScalarType.Float64);
}
