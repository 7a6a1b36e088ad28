using StableTune.Torch;

namespace StableTune.Testing;

/// <summary>Counts tensors that live.</summary>
public static class HeldTensors
{
    /// <summary>
    /// Tensors that are held before a test begins to count: what earlier tests forgot is collected first, so that it does not move the
    /// count later.
    /// </summary>
    public static long Before()
    {
        var held = TensorCount.Live;
        // What a finalizer lets go of is collected the next time or the one after it.
        for (var unchanged = 0; unchanged < 3;)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var now = TensorCount.Live;
            unchanged = now == held ? unchanged + 1 : 0;
            held = now;
        }

        return held;
    }
}
