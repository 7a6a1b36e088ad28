namespace StableTune.Data.Tests;

public sealed class OrderedPrefetchTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(4, 3)]
    [InlineData(16, 100)]
    public void Next_GivesEveryItemInOrder_WithinTheCapacity(int workers, int capacity)
    {
        const int count = 200;
        var (made, most, handedOut) = (0, 0, 0);
        using var prefetch = new OrderedPrefetch<object>(count, workers, capacity, (index, _) =>
        {
            var ahead = Interlocked.Increment(ref made) - Volatile.Read(ref handedOut);
            lock (this) most = Math.Max(most, ahead);
            if (index % 7 == 0) Thread.Yield();
            return index;
        }, _ => { });
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(i, prefetch.Next(default));
            Interlocked.Increment(ref handedOut);
        }

        Assert.Null(prefetch.Next(default));
        Assert.InRange(most, 1, capacity + 1);            // + 1: the item just handed out is counted a moment later
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Next_WhenMakingFails_ThrowsWhenItsTurnComes(int workers)
    {
        using var prefetch = new OrderedPrefetch<object>(5, workers, 5, (index, _) =>
            index == 2 ? throw new InvalidDataException("two") : index, _ => { });
        Assert.Equal(0, prefetch.Next(default));
        Assert.Equal(1, prefetch.Next(default));
        Assert.Equal("two", Assert.Throws<InvalidDataException>(() => prefetch.Next(default)).Message);
        Assert.Equal(3, prefetch.Next(default));
    }

    [Fact]
    public void Dispose_HalfWay_DiscardsWhatNobodyTook()
    {
        var (made, discarded) = (0, 0);
        using (var prefetch = new OrderedPrefetch<object>(100, 4, 8, (index, _) => { Interlocked.Increment(ref made); return index; }, _ =>
            discarded++))
            Assert.Equal(0, prefetch.Next(default));
        Assert.Equal(made - 1, discarded);
        Assert.InRange(made, 1, 9);
    }

    [Fact]
    public void Next_WhileWaiting_CanBeCancelled()
    {
        using var release = new ManualResetEventSlim();
        using var prefetch = new OrderedPrefetch<object>(1, 1, 1, (_, stop) => { release.Wait(stop); return 0; }, _ => { });
        using var cancel = new CancellationTokenSource(50);
        Assert.Throws<OperationCanceledException>(() => prefetch.Next(cancel.Token));
    }
}
