namespace StableTune.Torch.Tests;

/// <summary>Comparisons that say where and by how much two tensors differ.</summary>
internal static class Close
{
    /// <summary>Same shape, and no element further off than the tolerance (relative above 1).</summary>
    internal static void To(Tensor actual, Tensor expected, double tolerance = 1e-6)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected.shape, actual.shape);
        To(actual, Numbers(expected), tolerance);
    }

    /// <summary>The elements in index order.</summary>
    internal static void To(Tensor actual, double[] expected, double tolerance = 1e-6)
    {
        using var scope = NewDisposeScope();
        var got = Numbers(actual);
        Assert.Equal(expected.Length, got.Length);
        for (var k = 0; k < got.Length; k++)
        {
            var allowed = tolerance * Math.Max(1, Math.Abs(expected[k]));
            Assert.True(Math.Abs(got[k] - expected[k]) <= allowed || got[k].Equals(expected[k]),
                $"element {k}: {got[k]:R} instead of {expected[k]:R}, off by {got[k] - expected[k]:R}");
        }
    }

    /// <summary>Same type, same shape, same numbers.</summary>
    internal static void Same(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.dtype, actual.dtype);
        To(actual, expected, 0);
    }

    private static double[] Numbers(Tensor tensor) => tensor.detach().to(float64).contiguous().Elements<double>().ToArray();
}
