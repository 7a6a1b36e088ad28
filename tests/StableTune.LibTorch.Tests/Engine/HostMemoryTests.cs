namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class HostMemoryTests : IDisposable
{
    private const long Elements = 1 << 20;   // 4 MiB of float32

    public HostMemoryTests() => engine.keep_freed_memory(8 * Elements);

    public void Dispose() => engine.keep_freed_memory(0);

    private static nint AddressOf(long elements)
    {
        using var tensor = full([elements], 1.0);
        return tensor.data_ptr();
    }

    [Fact]
    public void KeepFreedMemory_NextTensorOfTheSize_GetsTheSameBlock()
    {
        var first = AddressOf(Elements);
        Assert.Equal(first, AddressOf(Elements));
        Assert.Equal(first, AddressOf(Elements - 100));   // the same step of sizes
        using var taken = full([Elements], 2.0);
        Assert.Equal(first, taken.data_ptr());
        Assert.NotEqual(first, AddressOf(Elements));
        Assert.Equal(2f, taken[0].ToSingle());
        Assert.Equal(0, first % 64);
    }

    [Fact]
    public void ReleaseFreedMemory_SaysHowMuchThereWas()
    {
        engine.release_freed_memory();
        AddressOf(Elements);
        Assert.InRange(engine.release_freed_memory(), 4 * Elements, 4 * Elements * 17 / 16);
        Assert.Equal(0, engine.release_freed_memory());
    }

    [Fact]
    public void KeepFreedMemory_PastItsLimit_DropsOldSizes()
    {
        engine.release_freed_memory();
        AddressOf(Elements);
        AddressOf(Elements / 2);                          // 6 of 8 MiB
        AddressOf(Elements - Elements / 4);               // 3 more are too many
        Assert.InRange(engine.release_freed_memory(), 3 * Elements, 3 * Elements * 17 / 16);
        AddressOf(3 * Elements);                          // by itself above the limit
        Assert.Equal(0, engine.release_freed_memory());
    }

    [Fact]
    public void KeepFreedMemory_SetToNothing_KeepsNothing()
    {
        var before = full([Elements], 1.0);
        AddressOf(Elements);
        engine.keep_freed_memory(0);
        before.Dispose();
        AddressOf(16);
        Assert.Equal(0, engine.release_freed_memory());
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.keep_freed_memory(-1));
    }

    [Fact]
    public void KeepFreedMemory_OnManyThreads_GivesEachTensorItsOwnBlock()
    {
        Parallel.For(0, 8, worker =>
        {
            for (var i = 0; i < 50; i++)
            {
                using var scope = NewDisposeScope();
                var tensor = full([Elements / 8], worker);
                Assert.Equal(worker * (Elements / 8), (long)tensor.sum(float64).ToDouble());
            }
        });
    }

    [Fact]
    public void KeepFreedMemory_UnderConvolutionsAndGradients_LeavesResultsAlone()
    {
        using var scope = NewDisposeScope();
        using var conv = nn.Conv2d(32, 32, 3, padding: 1);
        var x = ones([1, 32, 64, 64], requires_grad: true);
        conv.call(x).sum().backward();
        var expected = x.grad!.clone();
        engine.keep_freed_memory(0);
        x.grad = null;
        conv.call(x).sum().backward();
        Close.To(x.grad!, expected, 0);
    }
}
