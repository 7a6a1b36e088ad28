namespace StableTune.Torch.Tests.Memory;

public sealed class TensorMemoryTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void DataPointer_IsThatOfTheFirstElement()
    {
        var x = arange(6, float32).view(2, 3);
        Assert.NotEqual(0, x.DataPointer());
        Assert.Equal(x.DataPointer() + 3 * sizeof(float), x[1].DataPointer());
        Assert.NotEqual(x.DataPointer(), x.clone().DataPointer());
        Assert.Equal(0, empty([2], device: META).DataPointer());
        Assert.Throws<ArgumentNullException>(() => ((Tensor)null!).DataPointer());
    }

    [Fact]
    public void Elements_ReadAndWriteInPlace()
    {
        var x = arange(6, float32).view(2, 3);
        Assert.Equal([0f, 1, 2, 3, 4, 5], x.Elements<float>().ToArray());
        x.Elements<float>()[4] = -1;
        Close.To(x[1], [3, -1, 5]);
        Assert.Equal([3f, -1, 5], x[1].Elements<float>().ToArray());
        Assert.Equal([1L, 2], tensor(new[] { 1L, 2 }).Elements<long>().ToArray());
        Assert.Equal((Half)0.5, ones([1], ScalarType.Float16).mul(0.5).Elements<Half>()[0]);
        Assert.Equal(0x3f80, ones([1], ScalarType.BFloat16).Elements<ushort>()[0]);
        Assert.Equal(0, empty(0).Elements<float>().Length);
        Assert.Equal(2f, tensor(2f).Elements<float>()[0]);
    }

    [Fact]
    public void Elements_OfOtherTensors_AreRefused()
    {
        var x = ones(2, 3);
        Assert.Contains("Float32 [2, 3] on cpu are no contiguous Doubles",
            Assert.Throws<ArgumentException>(() => x.Elements<double>().Length).Message);
        Assert.Throws<ArgumentException>(() => x.t().Elements<float>().Length);
        Assert.Throws<ArgumentException>(() => empty([2], device: META).Elements<float>().Length);
        Assert.Throws<ArgumentNullException>(() => ((Tensor)null!).Elements<float>().Length);
    }
}
