namespace StableTune.LibTorch.Tests;

public sealed class CreationTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Constants_HaveShapeAndDtype()
    {
        Close.To(zeros(2, 2), [0, 0, 0, 0]);
        Close.To(ones([2, 1], float64), [1, 1]);
        Close.To(full([2], 7), [7, 7]);
        Assert.Equal(int64, full([2], 7).dtype);
        Assert.Equal(float32, full([2], 7.0).dtype);
        Assert.Equal(float32, zeros(1, 2, 3, 4).dtype);
        Assert.Equal([1, 2, 3, 4], empty(1, 2, 3, 4).shape);
        Close.To(eye(2), [1, 0, 0, 1]);
        Assert.Equal([2, 3], eye(2, 3).shape);
        Assert.True(zeros([2], requires_grad: true).requires_grad);
    }

    [Fact]
    public void Sequences()
    {
        Close.To(arange(3), [0, 1, 2]);
        Assert.Equal(int64, arange(3).dtype);
        Assert.Equal(float32, arange(3.0).dtype);
        Close.To(arange(1, 3), [1, 2]);
        Close.To(arange(3, 0, -1), [3, 2, 1]);
        Close.To(linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1]);
        Close.To(logspace(0, 2, 3), [1, 10, 100], 1e-5);
        Assert.Equal(float64, linspace(0, 1, 2, float64).dtype);
    }

    [Fact]
    public void Likes_TakeShapeAndDtype()
    {
        var x = full([2, 3], 2.0, bfloat16);
        foreach (var like in (Tensor[])[zeros_like(x), ones_like(x), empty_like(x), rand_like(x), randn_like(x), full_like(x, 3)])
        {
            Assert.Equal(x.shape, like.shape);
            Assert.Equal(bfloat16, like.dtype);
        }
        Assert.Equal(float32, zeros_like(x, float32).dtype);
        Assert.Equal(bfloat16, x.new_zeros(4).dtype);
        Close.To(x.new_full([1], 5), [5]);
    }

    [Fact]
    public void Arrays_BecomeTensorsOfTheirType()
    {
        Assert.Equal(float32, tensor(new[] { 1f }).dtype);
        Assert.Equal(float64, tensor([1.0, 2.0]).dtype);
        Assert.Equal(int32, tensor(new[] { 1 }).dtype);
        Assert.Equal(int64, tensor([1L]).dtype);
        Assert.Equal(uint8, tensor(new byte[] { 1 }).dtype);
        Assert.Equal(int8, tensor(new sbyte[] { 1 }).dtype);
        Assert.Equal(int16, tensor(new short[] { 1 }).dtype);
        Assert.Equal(float16, tensor(new[] { (Half)1 }).dtype);
        Assert.Equal(@bool, tensor(new[] { true }).dtype);
        Assert.Equal(float32, tensor(new[] { 1 }, dtype: float32).dtype);
        Assert.Equal([2, 2], tensor(new[,] { { 1f, 2f }, { 3f, 4f } }).shape);
        Assert.Equal([1, 1, 2], from_array(new[,,] { { { 1f, 2f } } }).shape);
        Assert.Equal([2, 2], tensor(new[] { 1f, 2f, 3f, 4f }, [2, 2]).shape);
        Close.To(tensor(new List<float> { 1, 2 }), [1, 2]);
        Assert.Equal([0], tensor(Array.Empty<float>()).shape);
    }

    [Fact]
    public void Numbers_BecomeScalars()
    {
        Assert.Equal(float32, tensor(1f).dtype);
        Assert.Equal(float64, tensor(1.0).dtype);
        Assert.Equal(int32, tensor(1).dtype);
        Assert.Equal(int64, tensor(1L).dtype);
        Assert.Equal(@bool, tensor(true).dtype);
        Assert.Equal(0, tensor(1f).dim());
        Assert.Equal(bfloat16, tensor(1.0, bfloat16).dtype);
    }

    [Fact]
    public void Arrays_ThatDoNotFit_AreRefused()
    {
        Assert.Contains("3 elements do not fill the shape [2, 2]", Assert.Throws<ArgumentException>(() => tensor(new[] { 1f, 2f, 3f }, [2, 2])).Message);
        Assert.Contains("DateTime", Assert.Throws<ArgumentException>(() => from_array(new DateTime[1])).Message);
    }

    [Fact]
    public void Joining_AndGrids()
    {
        var (a, b) = (tensor(new[] { 1f, 2f }), tensor(new[] { 3f, 4f }));
        Close.To(cat([a, b]), [1, 2, 3, 4]);
        Close.To(stack([a, b], 1), [1, 3, 2, 4]);
        var grid = meshgrid([a, b]);
        Close.To(grid[0], [1, 1, 2, 2]);
        Close.To(grid[1], [3, 4, 3, 4]);
        Close.To(cdist(a.view(1, 2), b.view(1, 2)), [Math.Sqrt(8)]);
        Close.To(cartesian_prod(a, b), [1, 3, 1, 4, 2, 3, 2, 4]);
        Assert.Equal([2, 2], broadcast_tensors(a, b.view(2, 1))[0].shape);
        Close.To(diag_embed(a), [1, 0, 0, 2]);
        Close.To(searchsorted(a, tensor(new[] { 1.5f })), [1]);
        Close.To(bucketize(tensor(new[] { 0f, 5f }), a), [0, 2]);
    }

    [Fact]
    public void Devices_ParseAndPrint()
    {
        Assert.Equal("cuda:1", device("cuda:1").ToString());
        Assert.Equal(CPU, device("cpu"));
        Assert.NotEqual(device("cuda"), device("cuda:0"));
        Assert.Equal(CPU, zeros(1).device);
        Assert.Equal(DeviceType.META, empty([1], device: META).device.type);
        foreach (var bad in (string[])["gpu", "cuda:x", "cuda:1:2", "", "1"])
            Assert.Contains("use cpu, cuda", Assert.Throws<ArgumentException>(() => device(bad)).Message);
    }
}
