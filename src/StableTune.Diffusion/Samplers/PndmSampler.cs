namespace StableTune.Samplers;

/// <summary>
/// PLMS, the default of Stable Diffusion 1.x: a linear multistep method over the predictions of up to four steps. One model call a step,
/// and one more in the first.
/// </summary>
/// <remarks>
/// Liu et al., Pseudo numerical methods for diffusion models on manifolds, arXiv:2202.09778. The paper starts with three Runge-Kutta steps,
/// as sd-scripts does for samples (<see cref="StartsWithRungeKutta"/>); published models skip them (<c>skip_prk_steps</c>).
/// </remarks>
public sealed record PndmSampler : AlphaSampler
{
    // Adams-Bashforth over the newest predictions, the newest first; by how many there are.
    private static readonly double[][] s_weights =
        [[], [1], [3 / 2.0, -1 / 2.0], [23 / 12.0, -16 / 12.0, 5 / 12.0], [55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0]];

    /// <inheritdoc/>
    public override string Name => StartsWithRungeKutta ? "PNDM" : "PLMS";

    /// <summary>
    /// Whether the first three steps are Runge-Kutta steps of four model calls each, as in the paper, instead of one step of two calls.
    /// Default no, as in the scheduler files of published models.
    /// </summary>
    public bool StartsWithRungeKutta { get; init; }

    /// <inheritdoc/>
    protected override Tensor Step(AlphaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        if (StartsWithRungeKutta && step is { Index: < 3, NextTime: { } end }) return RungeKutta(step, end);

        var (history, predicted) = (step.History, step.Predicted());
        history.Add(predicted, keep: 4);
        if (history.Count == 1 && step.NextTime is { } next)
        {
            // Nothing to look back on: the mean of the predictions at both ends. The second one is not kept.
            var there = step.Predicted(Moved(step, predicted, step.NextAlpha), next);
            return Moved(step, (predicted + there) / 2, step.NextAlpha);
        }
        var combined = s_weights[history.Count].Select((weight, back) => history[back] * weight).Aggregate((sum, term) => sum + term);
        return Moved(step, combined, step.NextAlpha);
    }

    /// <summary>The classical Runge-Kutta method (equation 13 of the paper).</summary>
    /// <param name="step">The step.</param>
    /// <param name="end">The time at its end.</param>
    private static Tensor RungeKutta(AlphaStep step, double end)
    {
        // Steps of an odd width have no middle in whole times; the reference steps once to half a width from the beginning and once to half
        // a width from the end, and asks at the latter time in both cases.
        var half = Math.Floor((step.Time - end) / 2);
        var middle = end + half;
        var first = step.Predicted();
        var second = step.Predicted(Moved(step, first, step.AlphaAt(step.Time - half)), middle);
        var third = step.Predicted(Moved(step, second, step.AlphaAt(middle)), middle);
        var fourth = step.Predicted(Moved(step, third, step.NextAlpha), end);
        step.History.Add(first, keep: 4);
        return Moved(step, (first + second * 2 + third * 2 + fourth) / 6, step.NextAlpha);
    }

    /// <summary>The latents of the step, moved to another ᾱ along a prediction (equation 11).</summary>
    private static Tensor Moved(AlphaStep step, Tensor predicted, double alpha)
    {
        using var scope = NewDisposeScope();
        return (step.OriginalOf(predicted) * Math.Sqrt(alpha) + step.NoiseOf(predicted) * Math.Sqrt(1 - alpha)).MoveToOuterDisposeScope();
    }
}
