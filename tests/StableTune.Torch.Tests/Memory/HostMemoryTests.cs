namespace StableTune.Torch.Tests.Memory;

[Collection(CountingTensors.Name)]
public sealed class HostMemoryTests
{
    private const long Elements = 6 << 20;                         // 24 MiB of float32, below the largest block that is kept

    /// <summary>Whether a tensor's memory stays resident when it is freed.</summary>
    private static bool IsKept(long elements = Elements)
    {
        var tensor = ones([elements]);
        var before = CountingTensors.ResidentBytes();
        tensor.Dispose();
        return before - CountingTensors.ResidentBytes() < elements * sizeof(float) / 2;
    }

    [Fact]
    public void Keep_ForSeveralUsers_KeepsFreedMemoryUntilTheLastEnds()
    {
        if (!HostMemory.IsSupported) return;
        var users = HostMemory.Users;
        var outer = HostMemory.Keep(1 << 30);
        var inner = HostMemory.Keep(1 << 30);
        Assert.Equal(users + 2, HostMemory.Users);
        Assert.True(IsKept());
        inner.Dispose();
        inner.Dispose();                                           // counts once
        Assert.Equal(users + 1, HostMemory.Users);
        Assert.True(IsKept());
        outer.Dispose();
        // What malloc does now depends on what lies free in its heaps: it is not told from outside.
        Assert.Equal(users, HostMemory.Users);
    }

    /// <summary>Without it they may be kept too, where a gap fits them.</summary>
    [Fact]
    public void Keep_OfAnySize_KeepsBlocksAbove32MiB()
    {
        if (!HostMemory.IsSupported) return;
        using var kept = HostMemory.Keep(1 << 30, ofAnySize: true);
        Assert.True(IsKept(2 * Elements));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1 << 20, false)]
    public void Keep_OfNothing_OrWhereItIsNotSupported_DoesNothing(long bytes, bool isSupported)
    {
        var users = HostMemory.Users;
        using (HostMemory.Keep(bytes, false, isSupported)) Assert.Equal(users, HostMemory.Users);
        Assert.Equal(users, HostMemory.Users);
    }

    [Fact]
    public void Keep_OfANegativeNumber_IsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => HostMemory.Keep(-1));

    [Fact]
    public void Keep_OfMoreThanCanBeSet_TakesTheMost()
    {
        using var kept = HostMemory.Keep(long.MaxValue);
        using var x = ones([Elements]);
        Assert.Equal(1f, x[7].item<float>());
    }

    [Fact]
    public void Keep_OnManyThreads_GivesEachTensorItsOwnMemory()
    {
        using var kept = HostMemory.Keep(1 << 30);
        OnThread.Run(4, worker =>
        {
            for (var k = 0; k < 20; k++)
            {
                using var scope = NewDisposeScope();
                var tensor = full([Elements / 16], (float)worker);
                Assert.Equal(worker * (Elements / 16), (long)tensor.sum(ScalarType.Float64).item<double>());
            }
        });
    }
}
