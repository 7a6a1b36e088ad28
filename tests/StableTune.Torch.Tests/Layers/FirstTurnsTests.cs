namespace StableTune.Torch.Tests.Layers;

public sealed class FirstTurnsTests
{
    [Fact]
    public void TheFirstOfAKind_IsToldSo_AndLaterOnesAreNot()
    {
        var turns = new FirstTurns(8);
        Assert.Equal([true, false, true, false], new long[] { 1, 1, 2, 1 }.Select(kind => turns.Take([7, kind], 1, isFirst => isFirst)));
    }

    /// <summary>The second thread begins only when the first is done, also with another kind.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TheFirstOfAKind_IsAlone(long other)
    {
        var turns = new FirstTurns(8);
        using var began = new ManualResetEventSlim();
        var (inside, most) = (0, 0);
        OnThread.Run(2, k =>
        {
            if (k == 1) began.Wait();
            turns.Take([k == 0 ? 1 : other], 1, _ =>
            {
                began.Set();
                most = Math.Max(most, Interlocked.Increment(ref inside));
                Thread.Sleep(50);
                return Interlocked.Decrement(ref inside);
            });
        });
        Assert.Equal(1, most);
    }

    [Fact]
    public void LaterOnesOfAKind_GoSideBySide_AlsoWhileAnotherKindIsFirst()
    {
        var turns = new FirstTurns(8);
        turns.Take([1], 1, isFirst => isFirst);
        using var all = new Barrier(3);
        var met = new bool[3];
        OnThread.Run(3, k => met[k] = turns.Take([k == 0 ? 2 : 1], 1, _ => all.SignalAndWait(TimeSpan.FromSeconds(30))));
        Assert.All(met, Assert.True);
    }

    [Fact]
    public void WhatThrew_IsFirstAgain()
    {
        var turns = new FirstTurns(8);
        Assert.Throws<InvalidOperationException>(() => turns.Take<bool>([1], 1, _ => throw new InvalidOperationException()));
        Assert.True(turns.Take([1], 1, isFirst => isFirst));
    }

    [Fact]
    public void WhereTooMuchIsKnown_TheOldestIsForgotten()
    {
        var turns = new FirstTurns(5);
        bool IsFirst(long kind) => turns.Take([kind], 2, isFirst => isFirst);
        Assert.Equal([true, true, false, true, false, false, true], new long[] { 1, 2, 1, 3, 2, 3, 1 }.Select(IsFirst));
    }

    [Fact]
    public void WhereNothingMayBeKnown_AllAreFirst()
    {
        var turns = new FirstTurns(0);
        Assert.True(turns.Take([1], 1, isFirst => isFirst));
        Assert.True(turns.Take([1], 1, isFirst => isFirst));
    }
}
