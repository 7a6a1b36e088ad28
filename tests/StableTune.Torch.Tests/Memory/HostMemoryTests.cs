namespace StableTune.Torch.Tests.Memory;

[Collection(CountingTensors.Name)]
public sealed class HostMemoryTests
{
    private const long Elements = 6 << 20;                         // 24 MiB of float32, below the largest block that is kept
    private const long Bytes = Elements * sizeof(float);

    /// <summary>Begins without free memory that earlier tests left.</summary>
    public HostMemoryTests() => HostMemory.Keep(1).Dispose();

    /// <summary>How much of a freed tensor's memory stays resident.</summary>
    private static long Kept()
    {
        var before = CountingTensors.ResidentBytes();
        ones([Elements]).Dispose();
        return CountingTensors.ResidentBytes() - before;
    }

    [Fact]
    public void Keep_OnLinux_KeepsFreedMemoryUntilDisposed()
    {
        if (!HostMemory.IsSupported) return;
        using (HostMemory.Keep(1 << 30)) Assert.InRange(Kept(), Bytes / 2, long.MaxValue);
        Assert.InRange(Kept(), long.MinValue, Bytes / 2);
    }

    [Fact]
    public void Keep_ForSeveralUsers_EndsWithTheLast()
    {
        if (!HostMemory.IsSupported) return;
        var users = HostMemory.Users;
        var outer = HostMemory.Keep(1 << 30);
        var inner = HostMemory.Keep(1 << 30);
        Assert.Equal(users + 2, HostMemory.Users);
        inner.Dispose();
        inner.Dispose();                                           // counts once
        Assert.Equal(users + 1, HostMemory.Users);
        Assert.InRange(Kept(), Bytes / 2, long.MaxValue);
        var before = CountingTensors.ResidentBytes();
        outer.Dispose();
        Assert.Equal(users, HostMemory.Users);
        Assert.InRange(before - CountingTensors.ResidentBytes(), Bytes / 2, long.MaxValue);   // given back at once
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1 << 20, false)]
    public void Keep_OfNothing_OrWhereItIsNotSupported_DoesNothing(long bytes, bool isSupported)
    {
        var users = HostMemory.Users;
        using (HostMemory.Keep(bytes, isSupported)) Assert.Equal(users, HostMemory.Users);
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
