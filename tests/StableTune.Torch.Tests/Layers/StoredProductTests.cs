using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch.Tests.Layers;

/// <summary>Products of few rows with weights that are stored in bfloat16 are those of the weights cast to float32.</summary>
/// <remarks>Without AVX-512 weights are cast, and nothing here is computed but what layers give.</remarks>
public sealed class StoredProductTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        HalfPrecision.Assume(null);
        StoredProduct.SwitchOff(false);
        _scope.Dispose();
    }

    public static TheoryData<long, long, long> Shapes()
    {
        var shapes = new TheoryData<long, long, long>();
        foreach (var rows in new long[] { 1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 64, 77, 96 }) shapes.Add(rows, 320, 192);
        // One block of the depth, one and a short one, exactly two.
        foreach (var inner in new long[] { 64, 192, 320, 1344 }) shapes.Add(14, inner, 64);
        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Multiply_BothWays_EqualsTheProductInDoublePrecision(long count, long inputs, long outputs)
    {
        if (!Avx512F.IsSupported) return;
        var weight = randn([outputs, inputs], ScalarType.BFloat16);
        var (rows, gradients) = (randn(count, inputs), randn(count, outputs));
        var (exact, back) = (Product(rows, weight.t()), Product(gradients, weight));
        foreach (var threads in new[] { 1, 3 })
        {
            foreach (var (strided, stridedGradients) in new[] { (rows, gradients), (Strided(rows), Strided(gradients)) })
            {
                AssertClose(exact, StoredProduct.Multiply(strided, weight, isBack: false, isTurned: false, threads));
                AssertClose(exact, StoredProduct.Multiply(strided, weight, isBack: false, isTurned: true, threads), isTurned: true);
                AssertClose(back, StoredProduct.Multiply(stridedGradients, weight, isBack: true, isTurned: false, threads));
                AssertClose(back, StoredProduct.Multiply(stridedGradients, weight, isBack: true, isTurned: true, threads), isTurned: true);
            }
        }

        static Tensor Strided(Tensor tensor) => tensor.t().contiguous().t();

        // The product, and what it would be were nothing negative: rounding errors go by that.
        static (Tensor Sums, Tensor Magnitudes) Product(Tensor rows, Tensor weight) =>
            (rows.@double().mm(weight.@double()), rows.@double().abs().mm(weight.@double().abs()));

        static void AssertClose((Tensor Sums, Tensor Magnitudes) exact, Tensor actual, bool isTurned = false)
        {
            Assert.True(actual.is_contiguous());
            var sums = isTurned ? actual.t() : actual;
            Assert.Equal(exact.Sums.shape, sums.shape);
            Assert.InRange(((sums - exact.Sums).abs() / exact.Magnitudes).max().item<double>(), 0, 4e-7);
        }
    }

    [Fact]
    public void Multiply_ByOnes_GivesTheWeightsBitForBit_FromTheLeastToTheGreatest()
    {
        if (!Avx512F.IsSupported) return;
        // Every finite number of bfloat16 in turn: 65,280 of them, and zeros.
        var bits = Enumerable.Range(0, 1 << 16).Select(pattern =>
            (pattern & 0x7F80) == 0x7F80 ? 0 : BitConverter.Int32BitsToSingle(pattern << 16)).ToArray();
        var weight = tensor(bits).view(1024, 64).to(ScalarType.BFloat16);
        var expected = weight.to(ScalarType.Float32);
        for (var from = 0; from < 1024; from += 64)
        {
            var part = weight.narrow(0, from, 64);
            Close.Same(expected.narrow(0, from, 64), StoredProduct.MultiplyBack(eye(64), part));
            Close.Same(expected.narrow(0, from, 64).t().contiguous(), StoredProduct.Multiply(eye(64), part));
        }
    }

    [Fact]
    public void Multiply_ByAnyNumberOfThreads_GivesTheSameBits()
    {
        if (!Avx512F.IsSupported) return;
        // With many threads, or few panels, rows are shared out too.
        foreach (var (count, outputs) in new[] { (64L, 640L), (96, 64), (35, 128) })
        {
            var (rows, weight) = (randn(count, 1280), randn([outputs, 1280], ScalarType.BFloat16));
            var single = StoredProduct.Multiply(rows, weight, isBack: false, isTurned: false, threads: 1);
            var turned = StoredProduct.Multiply(rows, weight, isBack: false, isTurned: true, threads: 1);
            foreach (var threads in new[] { 2, 3, 5, 16 })
            {
                Close.Same(single, StoredProduct.Multiply(rows, weight, isBack: false, isTurned: false, threads));
                Close.Same(turned, StoredProduct.Multiply(rows, weight, isBack: false, isTurned: true, threads));
            }
        }
    }

    [Fact]
    public void Multiply_MoreRowsThanFit_IsRefused()
    {
        if (!Avx512F.IsSupported) return;
        Assert.Throws<ArgumentOutOfRangeException>(() => StoredProduct.Multiply(ones(97, 64), ones([64, 64], ScalarType.BFloat16)));
    }

    [Fact]
    public void Serves_OnlyFewRowsOfFloat32_AndFrozenWholePanelsOfBFloat16()
    {
        HalfPrecision.Assume(false);
        var (rows, weight) = (ones(64, 128), ones([64, 128], ScalarType.BFloat16));
        Assert.Equal(Avx512F.IsSupported, StoredProduct.Serves(rows, weight, 64));
        Assert.False(StoredProduct.Serves(rows, weight, 97));
        Assert.False(StoredProduct.Serves(rows, weight, 0));
        Assert.False(StoredProduct.Serves(rows.@double(), weight, 64));
        Assert.False(StoredProduct.Serves(rows, weight.to(ScalarType.Float32), 64));
        Assert.False(StoredProduct.Serves(rows, weight.to(ScalarType.Float16), 64));
        Assert.False(StoredProduct.Serves(rows, weight.t(), 64));
        Assert.False(StoredProduct.Serves(rows, ones([64, 96], ScalarType.BFloat16), 64));
        Assert.False(StoredProduct.Serves(rows, ones([60, 128], ScalarType.BFloat16), 64));
        Assert.False(StoredProduct.Serves(rows, ones([0, 128], ScalarType.BFloat16), 64));
        Assert.False(StoredProduct.Serves(rows.detach().requires_grad_(), weight, 64));
        Assert.False(StoredProduct.Serves(rows, weight.detach().requires_grad_(), 64));
        Assert.False(StoredProduct.Serves(rows, weight, 64, ones(64).requires_grad_()));
        Assert.False(StoredProduct.Serves(rows, weight, 64, ones(1)));
        Assert.False(StoredProduct.Serves(rows, weight, 64, ones(64, 1)));
        Assert.Equal(Avx512F.IsSupported, StoredProduct.Serves(rows, weight, 64, ones(64)));
        using (no_grad())
        {
            Assert.Equal(Avx512F.IsSupported, StoredProduct.Serves(rows.detach().requires_grad_(), weight, 64));
            // Trained weights are multiplied as they are where gradients are recorded.
            Assert.False(StoredProduct.Serves(rows, weight.detach().requires_grad_(), 64));
            Assert.False(StoredProduct.Serves(rows, weight, 64, ones(64).requires_grad_()));
        }

        HalfPrecision.Assume(true);
        Assert.False(StoredProduct.Serves(rows, weight, 64));
    }

    public static TheoryData<string> Layers => ["linear", "time", "3x3", "strided", "1x1", "batch", "batch 1x1"];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Layer_StoredInBFloat16_GivesWhatCastWeightsGive_WithItsGradient(string name)
    {
        HalfPrecision.Assume(false);
        var (layer, input) = Make(name);
        using (layer)
        {
            layer.SetRequiresGrad(false).to(ScalarType.BFloat16);
            input = input.to(ScalarType.BFloat16);
            (Tensor, Tensor) Run(bool casts)
            {
                StoredProduct.SwitchOff(casts);
                var leaf = input.detach().requires_grad_();
                var output = layer.call(leaf);
                Gradients.Backward((output.to(ScalarType.Float32) * (1 + arange(output.numel()).sin()).view(output.shape)).sum());
                return (output, leaf.grad!);
            }

            var (expected, expectedGradient) = Run(casts: true);
            var (actual, gradient) = Run(casts: false);
            // Both would be the cast's otherwise.
            if (Avx512F.IsSupported) AssertServed(layer, input, actual);
            Assert.Equal(ScalarType.BFloat16, actual.dtype);
            // Sums in another order, which may fall on the other side when they are rounded to 8 bits.
            Near(expected, actual);
            Near(expectedGradient, gradient);
        }

        static void Near(Tensor expected, Tensor actual)
        {
            var (a, b) = (expected.to(ScalarType.Float32), actual.to(ScalarType.Float32));
            Assert.Equal(a.shape, b.shape);
            Assert.InRange((a - b).abs().max().item<float>(), 0, 0.008f * a.abs().max().item<float>());
            Assert.InRange((a - b).norm().item<float>(), 0, 1e-3f * a.norm().item<float>());
        }
    }

    /// <summary>Whether a layer takes this way: its weight fits the rows, and a convolution is one product of its windows.</summary>
    private static void AssertServed(ProductLayer layer, Tensor input, Tensor output)
    {
        Assert.True(StoredProduct.Fits(layer.weight, output.numel() / layer.weight.size(0)));
        if (layer is Conv2d conv)
            Assert.True(WindowProduct.IsQuicker(input, conv.weight, conv.bias, new(conv.stride, conv.padding, conv.dilation, conv.groups)));
    }

    private static (ProductLayer Layer, Tensor Input) Make(string name) => name switch
    {
        "linear" => (new Linear(320, 192), randn(1, 77, 320)),
        "time" => (new Linear(320, 1280), randn(1, 320)),
        "3x3" => (new Conv2d(256, 256, 3, padding: 1), randn(1, 256, 8, 8)),
        "strided" => (new Conv2d(256, 256, 3, stride: 2, padding: 1), randn(1, 256, 8, 8)),
        "1x1" => (new Conv2d(320, 192, 1), randn(1, 320, 8, 8)),
        "batch 1x1" => (new Conv2d(320, 192, 1), randn(3, 320, 4, 8)),
        _ => (new Conv2d(256, 256, 3, padding: 1, hasBias: false), randn(3, 256, 4, 4)),
    };

    [Fact]
    public void Linear_OfSizesThatDoNotFit_IsRefusedAsEver()
    {
        HalfPrecision.Assume(false);
        using var layer = new Linear(128, 64);
        layer.SetRequiresGrad(false).to(ScalarType.BFloat16);
        string Refusal(Func<Tensor> product)
        {
            StoredProduct.SwitchOff(true);
            var before = Assert.ThrowsAny<Exception>(product).Message;
            StoredProduct.SwitchOff(false);
            Assert.Equal(before, Assert.ThrowsAny<Exception>(product).Message);
            return before;
        }

        Assert.Contains("Linear 128 to 64", Refusal(() => layer.call(ones([4, 64], ScalarType.BFloat16))), StringComparison.Ordinal);
        Refusal(() => Products.Linear(ones([4, 128], ScalarType.BFloat16), layer.weight, ones([3], ScalarType.BFloat16)));
    }

    [Fact]
    public void FrozenLayer_UnderAGradientOfTheGradient_GivesTheSecondDerivative()
    {
        HalfPrecision.Assume(false);
        using var layer = new Linear(64, 64);
        layer.SetRequiresGrad(false).to(ScalarType.BFloat16);
        var input = randn(4, 64).requires_grad_();
        var output = Products.Linear(input, layer.weight).pow(2).sum();
        var gradient = autograd.grad([output], [input], create_graph: true)[0];
        var second = autograd.grad([gradient.sum()], [input])[0];
        var weight = layer.weight.to(ScalarType.Float32);
        // d/dx of the sum of 2 x WᵀW
        Close.To(second, (2 * ones(4, 64)).mm(weight.t().mm(weight)), 1e-4);
    }
}
