namespace StableTune.Torch.Tests;

/// <summary>Compares the gradient that autograd gives with central differences, in float64.</summary>
internal static class GradientCheck
{
    private const double Step = 1e-5;

    // Central differences err by the step's square (1e-10) times the third derivative, and by rounding over the step (1e-11).
    private const double Tolerance = 1e-7;

    /// <summary>Checks a function of tensors whose result may have any shape: it is weighed with fixed numbers and summed.</summary>
    internal static void Of(Func<Tensor[], Tensor> function, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        var leaves = inputs.Select(input => input.detach().clone().to(float64).requires_grad_()).ToArray();
        var weights = Weights(function(leaves));
        (function(leaves) * weights).sum().backward();
        for (var k = 0; k < leaves.Length; k++) CheckOne(function, leaves, k, weights);
    }

    private static Tensor Weights(Tensor output) => linspace(0.5, 1.5, output.numel(), float64).reshape(output.shape);

    private static void CheckOne(Func<Tensor[], Tensor> function, Tensor[] leaves, int which, Tensor weights)
    {
        using var off = no_grad();
        var analytic = leaves[which].grad ?? throw new InvalidOperationException($"input {which} got no gradient");
        var got = analytic.Elements<double>().ToArray();
        for (var i = 0L; i < leaves[which].numel(); i++)
        {
            using var scope = NewDisposeScope();
            double At(double shift)
            {
                var moved = leaves.ToArray();
                moved[which] = leaves[which].detach().clone();
                moved[which].Elements<double>()[(int)i] += shift;
                return (function(moved) * weights).sum().ToDouble();
            }
            var numeric = (At(Step) - At(-Step)) / (2 * Step);
            Assert.True(Math.Abs(numeric - got[i]) <= Tolerance * Math.Max(1, Math.Abs(numeric)),
                $"input {which}, element {i}: autograd gives {got[i]:R}, differences give {numeric:R}");
        }
    }
}
