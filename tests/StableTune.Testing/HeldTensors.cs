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
        var held = long.MaxValue;
        // What a finalizer lets go of is collected the next time.
        while (TensorCount.Live is var now && now < held)
        {
            held = now;
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return TensorCount.Live;
    }
}
