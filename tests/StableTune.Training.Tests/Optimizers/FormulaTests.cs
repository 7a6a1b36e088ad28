using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Of ASGD, Rprop and true Nesterov in eight bits nothing is recorded: they follow their formulas, computed number by
/// number.</summary>
public sealed class FormulaTests
{
    private const int Steps = 12;

    [Fact]
    public void ASGD_FollowsItsFormula_AndIsEvaluatedAtTheAverage()
    {
        using var scope = NewDisposeScope();
        var options = new ASGDOptions { Lambda = 0.01, Alpha = 0.6, AveragesFrom = 3, WeightDecay = 0.02 };
        var (weight, average) = (1.0, 0.0);
        var run = Run(options, 0.1, (step, gradient) =>
        {
            var rate = 0.1 / Math.Pow(1 + (0.01 * 0.1 * (step - 1)), 0.6);
            weight = (weight * (1 - (0.01 * rate))) - (rate * (gradient + (0.02 * weight)));
            average = step <= 5 ? weight : average + ((weight - average) / (step - 1 - 3));
            return weight;
        });
        using (run.Optimizer)
        {
            using (run.Optimizer.UseEvaluationWeights()) Assert.Equal(average, run.Weight.item<float>(), 1e-5);
            Assert.Equal(weight, run.Weight.item<float>(), 1e-5);
        }
    }

    [Fact]
    public void Rprop_FollowsItsFormula()
    {
        using var scope = NewDisposeScope();
        var (weight, size, last) = (1.0, 0.1, 0.0);
        using var optimizer = Run(new RpropOptions { Etas = (0.4, 1.3), StepSizes = (0.01, 0.2) }, 0.1, (_, gradient) =>
        {
            var agreement = Math.Sign(gradient * last);
            size = Math.Clamp(size * (agreement > 0 ? 1.3 : agreement < 0 ? 0.4 : 1), 0.01, 0.2);
            last = agreement < 0 ? 0 : gradient;
            return weight -= Math.Sign(last) * size;
        }).Optimizer;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SGDNesterov8bit_IsNesterovs_UnlessAskedForTheReferences(bool plain)
    {
        using var scope = NewDisposeScope();
        var (weight, momentum) = (1.0, 0.0);
        using var optimizer = Run(new SGDNesterov8bitOptions { Momentum = 0.8, WeightDecay = 0.1, PlainMomentum = plain }, 0.1,
            (step, gradient) =>
            {
                var coupled = gradient + (0.1 * weight);
                momentum = step == 1 ? coupled : (0.8 * momentum) + coupled;
                return weight -= 0.1 * (plain ? momentum : coupled + (0.8 * momentum));
            }).Optimizer;
    }

    [Fact]
    public void SGD_WithDampening_FollowsItsFormula()
    {
        using var scope = NewDisposeScope();
        var (weight, momentum) = (1.0, 0.0);
        using var optimizer = Run(new SGDOptions { Momentum = 0.8, Dampening = 0.3 }, 0.1, (step, gradient) =>
        {
            momentum = step == 1 ? gradient : (0.8 * momentum) + (0.7 * gradient);
            return weight -= 0.1 * momentum;
        }).Optimizer;
    }

    /// <summary>Steps one number with gradients of both signs, and compares it after each step.</summary>
    private static (IOptimizer Optimizer, Tensor Weight) Run(OptimizerOptions options, double rate, Func<int, double, double> formula)
    {
        var weight = ones(1).requires_grad_();
        var optimizer = options.Create([new ParameterGroup("all", [new NamedParameter("w", weight)], rate)]);
        for (var step = 1; step <= Steps; step++)
        {
            var gradient = (float)Math.Sin(step * 0.9);
            weight.grad = full_like(weight, gradient);
            optimizer.Step(new StepInfo([rate], step - 1));
            Assert.Equal(formula(step, gradient), weight.item<float>(), 1e-5);
        }

        return (optimizer, weight);
    }
}
