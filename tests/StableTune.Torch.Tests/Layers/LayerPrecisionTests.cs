namespace StableTune.Torch.Tests.Layers;

/// <summary>Weights and inputs of different types, and half precision on processors with and without instructions for it.</summary>
public sealed class LayerPrecisionTests : IDisposable
{
    private static readonly ConvolutionGeometry Geometry = new([1, 1], [1, 1], [1, 1]);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        HalfPrecision.Assume(null);
        _scope.Dispose();
    }

    private static double Cosine(Tensor a, Tensor b)
    {
        var (x, y) = (a.to(float64).flatten(), b.to(float64).flatten());
        return (x.dot(y) / (x.norm() * y.norm())).item<double>();
    }

    /// <summary>Runs a layer forwards and backwards: its output, the input's gradient and the gradients of its parameters.</summary>
    private static Tensor[] Run(Layer layer, Tensor input)
    {
        var leaf = input.detach().requires_grad_();
        layer.zero_grad();
        var output = layer.call(leaf);
        // Weighed, as the plain sum of a norm's output does not depend on its input.
        Gradients.Backward((output.to(float32).pow(2) * (1 + arange(output.numel(), float32).sin()).view(output.shape)).sum());
        var trained = layer.parameters().Where(parameter => parameter.requires_grad);
        return [output, leaf.grad!, .. trained.Select(parameter => parameter.grad!.clone())];
    }

    public static TheoryData<string, bool, ScalarType> Cases()
    {
        var cases = new TheoryData<string, bool, ScalarType>();
        foreach (var layer in new[] { "linear", "conv", "group", "layer" })
            foreach (var computes in new[] { true, false })
                foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float16 })
                    cases.Add(layer, computes, type);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TrainedFloat32Weights_UnderHalfPrecision_GetFloat32Gradients(string name, bool computes, ScalarType type)
    {
        HalfPrecision.Assume(computes);
        using Layer layer = name switch
        {
            "linear" => new Linear(8, 6),
            "conv" => new Conv2d(8, 6, 3, padding: 1),
            "group" => new GroupNorm(2, 8),
            _ => new LayerNorm(8),
        };
        var input = randn(2, 8, 8, 8);
        var (precise, half) = (Run(layer, input), Run(layer, input.to(type)));
        Assert.Equal([type, type, ScalarType.Float32, ScalarType.Float32], half.Select(tensor => tensor.dtype));
        for (var k = 0; k < precise.Length; k++) Assert.InRange(Cosine(precise[k], half[k]), 0.99, 1.0001);
    }

    [Theory]
    [InlineData(ScalarType.Float32, true)]
    [InlineData(ScalarType.Float32, false)]
    [InlineData(ScalarType.BFloat16, true)]
    [InlineData(ScalarType.BFloat16, false)]
    public void FrozenWeights_UnderBFloat16_GiveItsGradients(ScalarType weightType, bool computes)
    {
        HalfPrecision.Assume(computes);
        foreach (var batch in new[] { 1L, 3L })
        {
            using var linear = new Linear(8, 6).SetRequiresGrad(false);
            using var conv = new Conv2d(8, 6, 3, padding: 1).SetRequiresGrad(false);
            foreach (var (layer, channelsLast) in new (Layer, bool)[] { (linear, false), (conv, false), (conv, true) })
            {
                var input = channelsLast ? randn(batch, 8, 8, 8).permute(0, 3, 1, 2) : randn(batch, 8, 8, 8);
                var precise = Run(layer, input);
                foreach (var parameter in layer.parameters()) parameter.SetData(parameter.to(weightType));
                var half = Run(layer, input.to(ScalarType.BFloat16));
                foreach (var parameter in layer.parameters()) parameter.SetData(parameter.to(ScalarType.Float32));
                Assert.All(half, tensor => Assert.Equal(ScalarType.BFloat16, tensor.dtype));
                for (var k = 0; k < 2; k++) Assert.InRange(Cosine(precise[k], half[k]), 0.999, 1.0001);
            }
        }
    }

    [Fact]
    public void StorageOnly_ProductsRunInFloat32()
    {
        HalfPrecision.Assume(false);
        var (x, weight, bias) = (randn([2, 8, 6, 6], ScalarType.BFloat16), randn([4, 8, 3, 3], ScalarType.BFloat16),
            randn([4], ScalarType.BFloat16));
        Close.Same(
            nn.functional.conv2d(x.to(float32), weight.to(float32), bias.to(float32), padding: [1, 1]).to(ScalarType.BFloat16),
            Products.Conv2d(x, weight, bias, Geometry));
        var (rows, matrix) = (randn([3, 8], ScalarType.BFloat16), randn([4, 8], ScalarType.BFloat16));
        var leaf = rows.detach().requires_grad_();
        var output = Products.Linear(leaf, matrix, bias);
        Close.Same(nn.functional.linear(rows.to(float32), matrix.to(float32), bias.to(float32)).to(ScalarType.BFloat16), output);
        Gradients.Backward(output.sum());
        Close.Same(ones(3, 4).matmul(matrix.to(float32)).to(ScalarType.BFloat16), leaf.grad!);
    }

    [Fact]
    public void ComputeType_DependsOnTheProcessor()
    {
        using var half = ones([1], ScalarType.BFloat16);
        HalfPrecision.Assume(false);
        Assert.Equal(ScalarType.Float32, HalfPrecision.ComputeType(half));
        Assert.True(HalfPrecision.IsStorageOnly(ScalarType.BFloat16));
        Assert.False(HalfPrecision.IsStorageOnly(ScalarType.Float32));
        Assert.Equal(ScalarType.Float64, HalfPrecision.ComputeType(ones([1], float64)));
        OnThread.Run(() => Assert.Equal(HalfPrecision.HasBFloat16Products(Environment.GetEnvironmentVariable("ONEDNN_MAX_CPU_ISA")),
            HalfPrecision.ProcessorComputesInBFloat16));
        HalfPrecision.Assume(true);
        Assert.True(HalfPrecision.ProcessorComputesInBFloat16);
        Assert.Equal(ScalarType.BFloat16, HalfPrecision.ComputeType(half));
        Assert.Throws<ArgumentNullException>(() => HalfPrecision.ComputeType(null!));
    }

    [Theory]
    [InlineData("SSE41")]
    [InlineData("AVX2")]
    [InlineData("avx512_core")]
    [InlineData("AVX512_CORE_VNNI")]
    [InlineData("AVX2_VNNI")]
    public void HasBFloat16Products_LimitedBelow_IsFalse(string limit) => Assert.False(HalfPrecision.HasBFloat16Products(limit));

    [Theory]
    [InlineData("AVX512_CORE_AMX")]
    [InlineData("AVX10_1_512_AMX")]
    [InlineData("ALL")]
    [InlineData("default")]
    [InlineData("")]
    public void HasBFloat16Products_NotLimitedBelow_IsTheProcessors(string limit)
        => Assert.Equal(HalfPrecision.HasBFloat16Products(null), HalfPrecision.HasBFloat16Products(limit));

    /// <summary>On Intel's processors these instructions alone are no faster than those of float32.</summary>
    [Theory]
    [InlineData("AVX512_CORE_BF16")]
    [InlineData("avx512_core_bf16")]
    public void HasBFloat16Products_LimitedToAvx512_IsThatOfOthersThanIntel(string limit) =>
        Assert.Equal(!Processor.IsIntel && HalfPrecision.HasBFloat16Products(null), HalfPrecision.HasBFloat16Products(limit));

    [Fact]
    public void Norms_OfHalfPrecision_ComputeInFloat32()
    {
        using var group = new GroupNorm(2, 8);
        using var layer = new LayerNorm(6);
        var x = (randn(2, 8, 6) * 3 + 100).to(ScalarType.BFloat16);      // a mean this large would be lost in bfloat16
        Close.Same(nn.functional.group_norm(x.to(float32), 2, group.weight, group.bias, 1e-5), group.Float32(x));
        Close.Same(group.Float32(x).to(ScalarType.BFloat16), group.call(x));
        Close.Same(nn.functional.layer_norm(x.to(float32), [6], layer.weight, layer.bias, 1e-5).to(ScalarType.BFloat16), layer.call(x));
        Assert.Equal(ScalarType.Float64, group.call(x.to(float64)).dtype);
        group.to(ScalarType.BFloat16);
        Assert.Equal(ScalarType.Float32, group.Float32(x).dtype);
    }

    [Theory]
    [InlineData(4, 8, ScalarType.BFloat16)]
    [InlineData(1024, 320, ScalarType.Float32)]                   // large enough for oneDNN's product
    public void FrozenLayers_GiveWhatMayBeChangedInPlace(long rows, long width, ScalarType type)
    {
        foreach (var bias in new[] { null, zeros(width, dtype: type) })
        {
            var weight = randn([width, width]).to(type);
            var input = randn([1, rows, width], requires_grad: true);
            var output = Products.Linear(input, weight, bias).add_(input);
            Gradients.Backward(output.sum());
            Close.To(input.grad!, weight.to(float32).sum(0L).expand_as(input) + 1, 1e-4);
        }
    }

    [Fact]
    public unsafe void FrozenLayers_KeepNoInput()
    {
        using var conv = new Conv2d(4, 4, 3, padding: 1).SetRequiresGrad(false);
        using var linear = new Linear(8, 8).SetRequiresGrad(false);
        foreach (var computes in new[] { true, false })
        {
            HalfPrecision.Assume(computes);
            foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
            {
                Assert.True(IsLetGo(conv.call, type), $"convolution, {type}");
                Assert.True(IsLetGo(linear.call, type), $"linear, {type}");
                Assert.True(IsLetGo(input => Products.Linear(input, linear.weight.to(ScalarType.BFloat16)), type),
                    $"bfloat16 weights, {type}");
            }
        }
        Assert.False(IsLetGo(input => nn.functional.conv2d(input, conv.weight, padding: [1, 1]), ScalarType.Float32),
            "libtorch keeps it no more: FrozenProduct is of no use then");
        conv.SetRequiresGrad(true);
        Assert.Equal(WholeBlocks.AreNeeded, IsLetGo(conv.call, ScalarType.Float32));   // else a copy in whole blocks is kept
    }

    /// <summary>Whether the input is gone after the forward pass.</summary>
    /// <remarks>It is an intermediate result in lent memory, so that we are told when nothing holds it any more.</remarks>
    private static unsafe bool IsLetGo(Func<Tensor, Tensor> layer, ScalarType type)
    {
        var (memory, released) = (new float[4 * 8 * 8], false);
        fixed (float* data = memory)
        {
            using var scope = NewDisposeScope();
            var input = MappedMemory.ToTensor((nint)data, [1, 4, 8, 8], type, () => released = true);
            input.add_(ones([1], type, requires_grad: true));
            var output = layer(input);
            Assert.True(output.requires_grad);
            input.Dispose();
            var isLetGo = released;
            Gradients.Backward(output.to(float32).sum());
            return isLetGo;
        }
    }
}
