namespace StableTune.Torch.Tests.Memory;

/// <summary>Tensors of numbers that begin where libtorch's own do.</summary>
public class AlignedTensorTests
{
    [Fact]
    public void Of_HoldsTheNumbers_AtAMultipleOf64Bytes()
    {
        using var scope = NewDisposeScope();
        float[] values = [.. Enumerable.Range(0, 6)];
        List<byte[]> between = [];
        for (var i = 0; i < 50; i++)
        {
            between.Add(new byte[(i * 24) + 1]);              // arrays lie elsewhere each time
            var made = AlignedTensor.Of([.. values], 2, 3);
            Assert.Equal([2L, 3L], made.shape);
            Assert.Equal(0, made.DataPointer() % 64);
            Close.Same(arange(6, dtype: ScalarType.Float32).reshape(2, 3), made);
        }

        Assert.Equal(50, between.Count);
        Assert.Equal([0L, 4L], AlignedTensor.Of([], 0, 4).shape);
    }

    [Fact]
    public void Of_AnotherNumberOfValues_IsRefused() =>
        Assert.Contains("5 values do not fill the shape [2, 3]",
            Assert.Throws<ArgumentException>(() => AlignedTensor.Of(new float[5], 2, 3)).Message);
}
