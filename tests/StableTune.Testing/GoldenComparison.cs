using System.Globalization;

namespace StableTune.Testing;

/// <summary>Compares tensors number by number, in float64.</summary>
public static class GoldenComparison
{
    /// <summary>Fails with the largest difference, its index and both values, when any element is further away than the
    /// tolerance.</summary>
    /// <param name="name">What is compared, for the message.</param>
    /// <param name="expected">The golden values.</param>
    /// <param name="actual">The values to test; same shape.</param>
    /// <param name="tolerance">Absolute, or a part of the largest absolute expected value.</param>
    /// <param name="relativeToMax">Whether the tolerance is such a part.</param>
    public static void AssertClose(string name, Tensor expected, Tensor actual, double tolerance, bool relativeToMax = false)
    {
        if (Describe(name, expected, actual, tolerance, relativeToMax) is { } fault) Assert.Fail(fault);
    }

    /// <summary>Fails unless every number lies within <paramref name="absolute"/> + <paramref name="relative"/> · |expected|; NaN lies
    /// near nothing.</summary>
    public static void AssertClose(
        IReadOnlyList<float> expected, IReadOnlyList<float> actual, string name, double absolute = 0, double relative = 0)
    {
        Assert.True(expected.Count == actual.Count, $"{name}: {actual.Count} values, expected {expected.Count}");
        var (worst, excess) = (-1, double.NegativeInfinity);
        for (var i = 0; i < expected.Count; i++)
        {
            var difference = Math.Abs((double)expected[i] - actual[i]) - absolute - (relative * Math.Abs((double)expected[i]));
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            if (difference > excess) (worst, excess) = (i, difference);
        }

        Assert.True(excess <= 0, worst < 0 ? name : $"{name}: at {worst} expected {expected[worst]:R}, got {actual[worst]:R}");
    }

    /// <summary>Fails unless every number lies within a share of the largest absolute value expected.</summary>
    public static void AssertCloseToLargest(float[] expected, float[] actual, string name, double share) =>
        AssertClose(expected, actual, name, absolute: share * expected.Max(Math.Abs));

    /// <summary>A tensor's numbers as float32.</summary>
    public static float[] Floats(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().cpu().to(ScalarType.Float32).contiguous().data<float>().ToArray();
    }

    /// <summary>What is wrong, or null when the tensors are close.</summary>
    public static string? Describe(string name, Tensor expected, Tensor actual, double tolerance, bool relativeToMax = false)
    {
        if (!expected.shape.SequenceEqual(actual.shape))
            return $"{name}: the shape is [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]";
        var (wanted, found) = (Doubles(expected), Doubles(actual));
        var limit = relativeToMax ? tolerance * wanted.Select(Math.Abs).DefaultIfEmpty().Max() : tolerance;
        var (worst, at, outside) = (0.0, -1, 0);
        for (var i = 0; i < wanted.Length; i++)
        {
            // Equal infinities, and NaN where NaN is expected, are no difference; any other NaN is the largest one.
            var difference = wanted[i].Equals(found[i]) ? 0 : Math.Abs(wanted[i] - found[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            if (difference > limit) outside++;
            if (difference > worst) (worst, at) = (difference, i);
        }

        return outside == 0 ? null : string.Create(CultureInfo.InvariantCulture,
            $"{name}: largest difference {worst:G6} at [{Index(at, expected.shape)}]: is {found[at]:G9}, expected {wanted[at]:G9}; "
                + $"allowed {limit:G6}; {outside} of {wanted.Length} elements are outside");
    }

    private static double[] Doubles(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return [.. tensor.detach().cpu().to(ScalarType.Float64).contiguous().data<double>()];
    }

    private static string Index(int flat, long[] shape)
    {
        var index = new long[shape.Length];
        for (var d = shape.Length - 1; d >= 0; d--)
        {
            index[d] = flat % shape[d];
            flat = (int)(flat / shape[d]);
        }

        return string.Join(", ", index);
    }
}
