namespace StableTune.Torch;

/// <summary>How many tensors exist: the number that must be the same before and after a training step.</summary>
public static class TensorCount
{
    private static long s_parameters;

    /// <summary>
    /// Tensor objects on all threads that were created and neither disposed nor collected. TorchSharp counts a parameter that is made
    /// from a tensor twice; those that
    /// StableTune makes are taken off.
    /// </summary>
    public static long Live => Tensor.TotalCount - Interlocked.Read(ref s_parameters);

    internal static void ParameterMade() => Interlocked.Increment(ref s_parameters);
}
