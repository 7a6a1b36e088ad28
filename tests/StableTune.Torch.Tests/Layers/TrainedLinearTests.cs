namespace StableTune.Torch.Tests.Layers;

/// <summary>Linear layers whose weight is trained, where oneDNN computes all their products, against libtorch's in float64.</summary>
public sealed class TrainedLinearTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public TrainedLinearTests() => OneDnn.Assume(true);

    public void Dispose()
    {
        OneDnn.Assume(null);
        _scope.Dispose();
    }

    /// <summary>A LoRA's two halves, with ranks that fill no block, and a whole layer.</summary>
    public static TheoryData<long[], long, bool, bool, bool> Cases()
    {
        var cases = new TheoryData<long[], long, bool, bool, bool>();
        foreach (var (input, output) in new (long[], long)[]
                 {
                     ([512, 320], 8), ([512, 8], 320), ([2, 300, 320], 8), ([4, 77, 768], 5), ([2, 1024, 4], 256), ([2, 64, 160], 320),
                 })
            foreach (var (wantsInput, hasBias, isTurned) in new[]
                     { (true, false, false), (false, false, false), (true, true, false), (true, true, true) })
                cases.Add(input, output, wantsInput, hasBias, isTurned);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ValuesAndGradients_AreThoseOfThePlainLayer(long[] shape, long output, bool wantsInput, bool hasBias, bool isTurned)
    {
        var inner = shape[^1];
        var x = isTurned ? randn([.. shape[..^2], inner, shape[^2]]).transpose(-1, -2) : randn(shape);
        var (w, b) = (randn(output, inner), hasBias ? randn(output) : null);
        var direction = randn([.. shape[..^1], output]);
        (Tensor Output, Tensor?[] Gradients) Of(ScalarType type, Func<Tensor, Tensor, Tensor?, Tensor> linear)
        {
            var (xs, ws) = (x.to(type).detach().requires_grad_(wantsInput), w.to(type).detach().requires_grad_());
            var bs = b?.to(type).detach().requires_grad_();
            var y = linear(xs, ws, bs);
            Torch.Gradients.Backward((y * direction.to(type)).sum());
            return (y, [xs.grad, ws.grad, bs?.grad]);
        }

        var expected = Of(float64, (xs, ws, bs) => nn.functional.linear(xs, ws, bs));
        var actual = Of(float32, (xs, ws, bs) =>
        {
            Assert.True(TrainedLinear.Serves(xs, ws, bs));
            return Products.Linear(xs, ws, bs);
        });
        AssertClose(expected.Output, actual.Output);
        foreach (var (wanted, found) in expected.Gradients.Zip(actual.Gradients))
        {
            Assert.Equal(wanted is null, found is null);
            if (wanted is not null) AssertClose(wanted, found!);
        }

        Assert.True(actual.Gradients[1]!.is_contiguous());
    }

    [Fact]
    public void Gradients_AddUp_AndAWeightMayServeTwice()
    {
        var (x, w) = (randn(512, 64), randn(64, 64).requires_grad_());
        Assert.True(TrainedLinear.Serves(x, w, null));
        var y = Products.Linear(Products.Linear(x, w), w);
        Gradients.Backward(y.sum());
        var plain = w.detach().to(float64).requires_grad_();
        x.to(float64).mm(plain.t()).mm(plain.t()).sum().backward();
        AssertClose(plain.grad!, w.grad!);
    }

    /// <summary>As libtorch's own layer refuses it, where the input's gradient asks for it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AWeightThatWasChangedSince_IsRefused_WhereItIsAskedFor(bool wantsInput)
    {
        var (x, w) = (randn(512, 320).requires_grad_(wantsInput), randn(8, 320).requires_grad_());
        var loss = Products.Linear(x, w).sum();
        using (no_grad()) w.add_(1);
        var fault = Record.Exception(() => Gradients.Backward(loss));
        if (wantsInput) Assert.Contains("inplace operation", fault!.Message, StringComparison.Ordinal);
        else AssertClose(x.to(float64).sum(0L).expand(8, 320), w.grad!);
    }

    [Fact]
    public void SecondDerivatives_AreThoseOfThePlainLayer()
    {
        var (x, w) = (randn(512, 64), randn(64, 64) * 0.1);
        Tensor[] Of(ScalarType type, Func<Tensor, Tensor, Tensor> linear)
        {
            var (xs, ws) = (x.to(type).detach().requires_grad_(), w.to(type).detach().requires_grad_());
            var gradient = autograd.grad([linear(xs, ws).pow(3).sum()], [xs], retain_graph: true, create_graph: true)[0];
            Gradients.Backward(gradient.pow(2).sum());
            return [xs.grad!, ws.grad!];
        }

        var expected = Of(float64, (xs, ws) => nn.functional.linear(xs, ws));
        foreach (var (wanted, found) in expected.Zip(Of(float32, (xs, ws) => Products.Linear(xs, ws)))) AssertClose(wanted, found);
    }

    [Fact]
    public void Serves_ElsewhereIsFalse()
    {
        var (x, w, b) = (randn(512, 320), randn(8, 320).requires_grad_(), randn(8));
        Assert.True(TrainedLinear.Serves(x, w, b));
        Assert.False(TrainedLinear.Serves(x, w.detach(), b), "a frozen weight");
        Assert.False(TrainedLinear.Serves(x[..8], w, b), "a small product");
        Assert.False(TrainedLinear.Serves(x.to(float64), w, b), "other types");
        Assert.False(TrainedLinear.Serves(x, w, randn(9)), "a bias that does not fit");
        Assert.False(TrainedLinear.Serves(x, w, randn(1, 8)), "a bias of another form");
        Assert.False(TrainedLinear.Serves(randn(512, 319), w, b), "an input that does not fit");
        using (no_grad()) Assert.False(TrainedLinear.Serves(x, w, b), "nothing is recorded");
        OneDnn.Assume(false);
        Assert.False(TrainedLinear.Serves(x, w, b), "MKL is as quick");
    }

    private static void AssertClose(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual.to(float64)).abs().max().item<double>(), 0, 1e-5 * expected.abs().max().item<double>());
    }
}
