namespace StableTune.LibTorch.Tests;

/// <summary>Comparisons of tensors that say where they differ most.</summary>
internal static class TensorAssert
{
    internal static void Close(Tensor expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected.shape, actual.shape);
        var want = Values(expected);
        var got = Values(actual);
        var worst = 0;
        for (var i = 0; i < want.Length; i++)
            if (!(Math.Abs(want[i] - got[i]) <= Math.Abs(want[worst] - got[worst]))) worst = i;
        if (want.Length > 0 && !(Math.Abs(want[worst] - got[worst]) <= tolerance))
            Assert.Fail($"largest difference at element {worst} of [{string.Join(", ", actual.shape)}]: expected {want[worst]:R}, got {got[worst]:R}, tolerance {tolerance:R}");
    }

    internal static void Close(double[] expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Close(tensor(expected), actual.to(ScalarType.Float64).reshape(-1), tolerance);
    }

    internal static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().reshape(-1).data<double>().ToArray();
    }
}

/// <summary>Checks gradients against central differences, in float64.</summary>
internal static class FiniteDifferences
{
    private const double Step = 1e-6;

    // Central differences err by about step² · f''' + roundoff / step, here below 1e-8 for values around one.
    private const double Tolerance = 1e-6;

    /// <summary>Fails when the gradient of a random projection of the function's output differs for any input.</summary>
    internal static void Check(Func<Tensor[], Tensor> function, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var points = inputs.Select(input => input.detach().to(ScalarType.Float64).clone().requires_grad_()).ToArray();
        var output = function(points);
        var weights = rand_like(output);
        (output * weights).sum().backward();
        using var frozen = no_grad();
        for (var k = 0; k < points.Length; k++)
        {
            var estimate = new double[points[k].numel()];
            for (var i = 0; i < estimate.Length; i++)
            {
                double At(double shift)
                {
                    using var inner = NewDisposeScope();
                    var moved = points.Select(point => point.detach().clone()).ToArray();
                    moved[k].view(-1).narrow(0, i, 1).add_(shift);
                    return (function(moved) * weights).sum().ToDouble();
                }
                estimate[i] = (At(Step) - At(-Step)) / (2 * Step);
            }
            var gradient = points[k].grad;
            Assert.NotNull(gradient);
            TensorAssert.Close(estimate, gradient, Tolerance);
        }
    }
}
