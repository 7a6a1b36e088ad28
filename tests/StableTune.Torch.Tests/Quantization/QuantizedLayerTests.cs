namespace StableTune.Torch.Tests;

/// <summary>Layers whose frozen weights are held as codes.</summary>
[Collection(CountingTensors.Name)]
public sealed class QuantizedLayerTests
{
    public static TheoryData<string> Names() => [.. WeightQuantization.Catalog.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Linear_ComputesAsWithTheNumbersOfItsCodes(string name) =>
        AssertComputesAsItsCodes(name, () => new Linear(48, 24), [2, 5, 48]);

    [Theory]
    [MemberData(nameof(Names))]
    public void Conv2d_ComputesAsWithTheNumbersOfItsCodes(string name) =>
        AssertComputesAsItsCodes(name, () => new Conv2d(6, 8, 3, stride: 2, padding: 1), [2, 6, 9, 7]);

    [Fact]
    public void Conv2d_OfASingleImage_TakesThreeDimensions() =>
        AssertComputesAsItsCodes("int8", () => new Conv2d(6, 8, 3), [6, 9, 7]);

    private static void AssertComputesAsItsCodes<T>(string name, Func<T> make, long[] shape) where T : ProductLayer
    {
        CountingTensors.Settle();
        var before = TensorCount.Live;
        using (NewDisposeScope())
        {
            using var layer = make().SetRequiresGrad(false);
            using var plain = make().SetRequiresGrad(false);
            layer.Quantize(WeightQuantization.Catalog.Create(name));
            plain.weight.SetData(layer.Quantized!.Dequantize(ScalarType.Float32));
            plain.bias!.SetData(layer.bias!.clone());
            Assert.True(layer.weight.isnan().all().item<bool>());
            foreach (var checkpoints in new[] { false, true })
            {
                var (output, gradient) = Pass(layer, shape, checkpoints);
                var (wanted, wantedGradient) = Pass(plain, shape, checkpoints);
                Assert.True(output.equal(wanted).all().item<bool>());
                Close.To(gradient, wantedGradient, 1e-6);
            }
        }

        Assert.Equal(before, TensorCount.Live);
    }

    private static (Tensor Output, Tensor Gradient) Pass(ProductLayer layer, long[] shape, bool checkpoints)
    {
        using var random = new Generator(7);
        var input = randn(shape, generator: random);
        input.requires_grad = true;
        var output = checkpoints ? ActivationCheckpoint.Run(inputs => layer.call(inputs[0]), input) : layer.call(input);
        Gradients.Backward((output * output).sum());
        return (output.detach(), input.grad!);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Quantize_AWholeModule_TakesAsManyBytesAsItsCodes_AndComesBackRounded(string name)
    {
        CountingTensors.Settle();
        var before = TensorCount.Live;
        using (NewDisposeScope())
        {
            using var module = nn.Sequential(("a", new Linear(128, 256)), ("norm", new LayerNorm(256)), ("b", new Linear(256, 64)));
            module.SetRequiresGrad(false);
            var original = ModuleTensors.Named(module)["b.weight"].clone();
            var quantization = WeightQuantization.Catalog.Create(name);
            var full = ModuleMemory.Bytes(module);
            var weights = (128 * 256) + (256 * 64);
            module.Quantize(quantization);
            Assert.InRange(ModuleMemory.Bytes(module), full - (4 * weights) + (quantization.BitsPerWeight / 8 * weights * 0.99),
                full - (4 * weights) + (quantization.BitsPerWeight / 8 * weights * 1.04));
            module.MoveTo(CPU);
            Assert.Contains("'a.weight' is held in " + name,
                Assert.Throws<InvalidOperationException>(() => ModuleTensors.Named(module)).Message, StringComparison.Ordinal);
            Assert.Contains("'a' is held in", Assert.Throws<InvalidOperationException>(() => module.Quantize(quantization)).Message,
                StringComparison.Ordinal);
            var read = ModuleTensors.Values(module)["b.weight"];
            module.Dequantize();
            var rounded = ModuleTensors.Named(module)["b.weight"];
            Assert.True(rounded.equal(read).all().item<bool>());
            Assert.Equal(full, ModuleMemory.Bytes(module));
            // Within the format's error of a number, the largest being 1/16.
            Assert.InRange((rounded - original).abs().max().item<float>(), 1e-6, 0.16 / 16);
        }

        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Quantize_ATrainedWeight_IsRefusedByName_AndNothingIsChanged()
    {
        using var module = nn.Sequential(("a", new Linear(8, 8)), ("b", new Linear(8, 8)));
        ((Linear)module[0]).weight.requires_grad = false;
        var fault = Assert.Throws<InvalidOperationException>(() => module.Quantize(WeightQuantization.Int8));
        Assert.Contains("'b' is trained", fault.Message, StringComparison.Ordinal);
        Assert.Null(((Linear)module[0]).Quantized);
    }

    [Fact]
    public void Catalog_UnknownName_ListsTheKnownOnes() => Assert.Contains("fp8, int8, nf4",
        Assert.Throws<ArgumentException>(() => WeightQuantization.Catalog.Create("int4")).Message, StringComparison.Ordinal);
}
