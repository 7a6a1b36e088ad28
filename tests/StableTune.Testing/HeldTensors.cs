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
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return TensorCount.Live;
    }
}
