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
        return ((rand(size, generator: random) * 2 - 1) / Math.Sqrt(FanIn(size))).MoveToOuterDisposeScope();
    }

    /// <summary>The bias of a layer whose weight is of a size, as PyTorch draws it: uniform within ±1/√fan-in, [out].</summary>
    /// <param name="size">The weight's shape.</param>
    /// <param name="random">What it is drawn from.</param>
    public static Tensor BiasOf(long[] size, Generator random)
    {
        using var scope = NewDisposeScope();
        return ((rand(size[0], generator: random) * 2 - 1) / Math.Sqrt(FanIn(size))).MoveToOuterDisposeScope();
    }

    /// <summary>The product of all sizes but the first.</summary>
    public static long FanIn(long[] size) => size[1..].Aggregate(1L, (product, n) => product * n);

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
