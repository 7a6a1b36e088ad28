using StableTune.Formats;

namespace StableTune.Tensors.Tests;

/// <summary>Torch files are weights files like any other.</summary>
public sealed class TorchFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void LoadAll_BothFormsOfACheckpoint_GiveTheSameTensors()
    {
        using var scope = NewDisposeScope();
        using var zip = WeightFile.Open(Fixtures.Path("models", "tiny-sd15-ckpt.ckpt"));
        using var legacy = WeightFile.Open(Fixtures.Path("models", "tiny-sd15-ckpt-legacy-ema.ckpt"));
        var (first, second) = (zip.LoadAll(), legacy.LoadAll(ScalarType.Float32));
        Assert.Equal((980, 1006), (first.Count, second.Count));
        Assert.All(first, entry =>
        {
            var other = second[entry.Key.Replace("transformer.text_model.", "transformer.", StringComparison.Ordinal)];
            Assert.Equal(entry.Value.is_floating_point() ? ScalarType.Float32 : entry.Value.dtype, other.dtype);
            Assert.True(entry.Value.to(other.dtype).Equals(other), entry.Key);
        });
    }

    [Theory]
    [InlineData(WeightStorage.Copied)]
    [InlineData(WeightStorage.Mapped)]
    public void LoadInto_TorchFile_FillsAModule(WeightStorage storage)
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("linear.bin");
        float[] weight = [1, 2, 3, 4, 5, 6], bias = [7, 8];
        TorchWriter.Write(path, [Payload("weight", [2, 3], weight), Payload("bias", [2], bias)], TorchLayout.OrderedDictionary);
        using var linear = new Linear(3, 2);
        using (var file = WeightFile.Open(path))
            ModuleWeights.LoadInto(linear, file, options: new ModuleLoadOptions { Storage = storage }).ThrowIfIncomplete();
        Assert.Equal(weight, linear.weight.data<float>().ToArray());
        Assert.Equal(bias, linear.bias!.data<float>().ToArray());
    }

    private static TensorPayload Payload(string name, long[] shape, float[] values) =>
        new(name, TensorDType.F32, shape, stream => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan())));
}
