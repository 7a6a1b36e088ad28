namespace StableTune.Adapters;

/// <summary>How the factors of new adapters start.</summary>
internal static class InitialValues
{
    /// <summary>Uniform within ±1/√fan-in: PyTorch's <c>kaiming_uniform_</c> with a = √5.</summary>
    /// <param name="size">[out, in, ...]; the product of all but the first is the fan-in.</param>
    /// <param name="random">What they are drawn from.</param>
    public static Tensor KaimingUniform(long[] size, Generator random)
    {
        using var scope = NewDisposeScope();
        var fanIn = size[1..].Aggregate(1L, (product, n) => product * n);
        return ((rand(size, generator: random) * 2 - 1) / Math.Sqrt(fanIn)).MoveToOuterDisposeScope();
    }

    /// <summary>Normal with mean 0.</summary>
    /// <param name="size">The shape.</param>
    /// <param name="deviation">The standard deviation.</param>
    /// <param name="random">What they are drawn from.</param>
    public static Tensor Normal(long[] size, double deviation, Generator random)
    {
        using var scope = NewDisposeScope();
        return (randn(size, generator: random) * deviation).MoveToOuterDisposeScope();
    }
}
