using System.Runtime.CompilerServices;

namespace StableTune.Training.Tests;

/// <summary>What dies young is collected once enough of it was made, and not before.</summary>
public sealed class StepGarbageTests
{
    [Fact]
    public void Collect_OnceEnoughWasAllocated_FreesWhatIsDead()
    {
        var allocated = 100L;
        var garbage = new StepGarbage(() => allocated);
        var dead = Forget();
        allocated += StepGarbage.Most - 1;
        Assert.False(garbage.Collect());
        allocated++;
        Assert.True(garbage.Collect());
        Assert.All(dead, reference => Assert.False(reference.IsAlive));
        Assert.False(garbage.Collect());
        allocated += StepGarbage.Most;
        Assert.True(garbage.Collect());
    }

    [Fact]
    public void Collect_CountsWhatTheRuntimeAllocates()
    {
        var garbage = new StepGarbage();
        for (var made = 0L; made <= StepGarbage.Most; made += 1000) GC.KeepAlive(new byte[1000]);
        Assert.True(garbage.Collect());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static List<WeakReference> Forget() => [.. Enumerable.Range(0, 10).Select(_ => new WeakReference(new object()))];
}
