namespace StableTune.LibTorch.Tests;

public sealed class ConversionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    public void To_ADtype_KeepsSmallIntegers(ScalarType type)
    {
        var x = tensor(new[] { 0.0, 1.0, 100.0 }).to(type);
        Assert.Equal(type, x.dtype);
        Assert.Equal(type.ElementSize(), x.element_size());
        Close.To(x, [0, 1, 100]);
    }

    [Fact]
    public void To_TheSame_SharesMemoryUnlessACopyIsAskedFor()
    {
        var x = ones(3);
        Assert.True(x.to(float32).SharesStorageWith(x));
        Assert.False(x.to(float32, copy: true).SharesStorageWith(x));
        Assert.True(x.cpu().SharesStorageWith(x));
        Assert.Equal(bfloat16, x.to(CPU, bfloat16).dtype);
        Assert.Equal(float64, x.to(zeros(1, dtype: float64)).dtype);
        Assert.Equal(float64, x.type_as(zeros(1, dtype: float64)).dtype);
    }

    [Fact]
    public void Shorthands_GiveTheirDtype()
    {
        var x = tensor(new[] { 1.5f });
        Assert.Equal(float64, x.@double().dtype);
        Assert.Equal(float32, x.@float().dtype);
        Assert.Equal(float16, x.half().dtype);
        Assert.Equal(bfloat16, x.bfloat16().dtype);
        Assert.Equal(1, x.@long().ToInt64());
        Assert.Equal(1, x.@int().ToInt32());
        Assert.Equal(uint8, x.@byte().dtype);
        Assert.True(x.@bool().ToBoolean());
    }

    [Fact]
    public void InPlace_Writers_ChangeTheTensor()
    {
        var x = zeros(2, 2);
        Close.To(x.fill_(3), [3, 3, 3, 3]);
        Close.To(x.copy_(tensor(new[] { 1L, 2L })), [1, 2, 1, 2]);
        Close.To(x.fill_(tensor(5f)), [5, 5, 5, 5]);
        Close.To(x.zero_(), [0, 0, 0, 0]);
    }

    [Fact]
    public void Data_ReadsAndWritesInPlace()
    {
        var x = arange(6, dtype: float32).reshape(2, 3);
        x.data<float>()[1, 2] = 50;
        x.data<float>()[0] = -1;
        Close.To(x, [-1, 1, 2, 3, 4, 50]);
        Assert.Equal([-1f, 3f, 1f, 4f, 2f, 50f], x.t().data<float>().ToArray());
        Assert.Equal(3f, x.t().data<float>()[0, 1]);
        Assert.Equal(6, x.data<float>().Count);
        Assert.Equal(59, x.data<float>().Sum());
        Span<float> span = x.data<float>();
        span[1] = 9;
        Assert.Equal(9, x[0, 1].ToSingle());
        var copy = new float[6];
        x.t().data<float>().CopyTo(copy);
        Assert.Equal(50, copy[5]);
    }

    [Fact]
    public void Data_OfAnotherType_IsRefused()
    {
        Assert.Contains("Float32", Assert.Throws<InvalidOperationException>(() => ones(1).data<double>()).Message);
        Assert.Throws<InvalidOperationException>(() => { _ = zeros(2, 3).t().data<float>().Span; });
        Assert.Throws<ArgumentOutOfRangeException>(() => ones(2).data<float>()[2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => ones(2, 2).data<float>()[4]);
        Assert.Throws<InvalidOperationException>(() => empty([2], device: META).data<float>());
    }

    [Fact]
    public void Bytes_AreTheMemory()
    {
        var x = zeros(2);
        x.bytes = BitConverter.GetBytes(1f).Concat(BitConverter.GetBytes(2f)).ToArray();
        Close.To(x, [1, 2]);
        Assert.Equal(8, x.bytes.Length);
        Assert.Throws<InvalidOperationException>(() => zeros(2, 3).t().bytes.Length);
    }

    [Fact]
    public void Item_ConvertsToTheTypeAskedFor()
    {
        Assert.Equal(2.5f, tensor(2.5).item<float>());
        Assert.Equal(2, tensor(2L).item<int>());
        Assert.Equal(2.0, tensor(2L).item<double>());
        Assert.True(tensor(true).item<bool>());
        Assert.Equal((Half)0.5, tensor(0.5f).item<Half>());
        Assert.Equal((byte)7, tensor(7).item<byte>());
        Assert.Contains("2 elements", Assert.Throws<TorchException>(() => ones(2).item<float>()).Message);
    }

    [Fact]
    public void ToString_TellsDtypeShapeAndDevice()
    {
        Assert.Equal("Float32 [2, 3] on cpu", zeros(2, 3).ToString());
        Assert.Equal("BFloat16 [1] on cpu, requires_grad", zeros([1], bfloat16, requires_grad: true).ToString());
    }
}
