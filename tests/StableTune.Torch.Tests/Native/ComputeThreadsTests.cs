namespace StableTune.Torch.Tests.Native;

/// <summary>Work that libtorch's own threads share.</summary>
public sealed class ComputeThreadsTests
{
    [Theory]
    [InlineData(0, 4)]
    [InlineData(1, 4)]
    [InlineData(3, 1)]
    [InlineData(1000, 2)]
    [InlineData(1000, 7)]
    public void For_DoesEachPartOnce(int parts, int threads)
    {
        NativeBackend.Load();
        var done = new int[parts];
        ComputeThreads.For(parts, threads, part => Interlocked.Increment(ref done[part]));
        Assert.All(done, times => Assert.Equal(1, times));
    }

    [Fact]
    public void For_WithoutARegionOfLibtorch_IsSharedByThreadsOfDotNet()
    {
        var done = new int[100];
        ComputeThreads.For(100, 4, part => Interlocked.Increment(ref done[part]), region: 0);
        Assert.All(done, times => Assert.Equal(1, times));
        var thrown = Assert.Throws<InvalidOperationException>(() => ComputeThreads.For(100, 4,
            part => { if (part == 4) throw new InvalidOperationException("part 4"); }, region: 0));
        Assert.Equal("part 4", thrown.Message);
    }

    [Fact]
    public void For_ByTwo_WorksAtOnce()
    {
        NativeBackend.Load();
        using var both = new Barrier(2);
        // Each of the two waits for the other: one thread alone would wait until its time is up.
        var met = new bool[2];
        ComputeThreads.For(2, 2, part => met[part] = both.SignalAndWait(TimeSpan.FromSeconds(60)));
        Assert.Equal([true, true], met);
    }

    [Fact]
    public void For_AfterAndAmongProductsOfLibtorch_LeavesTheirNumbersAlone()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (randn(300, 300), randn(300, 300));
        var expected = a.mm(b);
        for (var turn = 0; turn < 20; turn++)
        {
            var sum = 0;
            ComputeThreads.For(50, 3, part => Interlocked.Add(ref sum, part));
            Assert.Equal(49 * 50 / 2, sum);
            Close.To(a.mm(b), expected, 1e-5);
        }
    }

    [Fact]
    public void For_FromSeveralThreadsAndWithinItself_DoesAll()
    {
        NativeBackend.Load();
        var done = 0;
        var callers = Enumerable.Range(0, 4).Select(_ => new Thread(() => ComputeThreads.For(8, 2,
            _ => ComputeThreads.For(8, 2, _ => Interlocked.Increment(ref done))))).ToArray();
        foreach (var caller in callers) caller.Start();
        foreach (var caller in callers) caller.Join();
        Assert.Equal(4 * 8 * 8, done);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void For_APartThrows_ItIsThrownToTheCaller_AndTheNextWorks(int threads)
    {
        NativeBackend.Load();
        var thrown = Assert.Throws<InvalidOperationException>(() => ComputeThreads.For(10, threads,
            part => { if (part == 4) throw new InvalidOperationException("part 4"); }));
        Assert.Equal("part 4", thrown.Message);
        var done = 0;
        ComputeThreads.For(10, threads, _ => Interlocked.Increment(ref done));
        Assert.Equal(10, done);
    }
}
