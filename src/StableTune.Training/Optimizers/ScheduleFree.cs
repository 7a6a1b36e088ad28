using System.Runtime.CompilerServices;
using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>
/// What schedule-free optimizers share: with a direction d, c = q_t/(q_1 + … + q_t), q_t = t^r · (largest rate so far)^p, and b the
/// interpolation: d ← d + wd·y; y ← y + c(z − y) + lr(b(1 − c) − 1)d; z ← z − lr·d. The parameters hold y; the average is
/// x = y + (1 − 1/b)(z − y).
/// </summary>
internal abstract class ScheduleFree : ElementwiseOptimizer<ScheduleFreeFormula>
{
    private const string Stepped = "z";

    private readonly ScheduleFreeOptions _options;
    private readonly Tensor[] _sums;                          // per group: the sum of q, and the largest rate so far; [2], float64
    private readonly Tensor?[] _shares;                       // c of this step
    private double[] _rates;

    protected ScheduleFree(ScheduleFreeOptions options, IReadOnlyList<ParameterGroup> groups, params FlatSlot[] slots)
        : base(options, groups, [FlatSlot.OfWeights(Stepped), .. slots])
    {
        _options = options;
        _shares = new Tensor?[groups.Count];
        _rates = [.. groups.Select(group => group.LearningRate)];
        using var scope = NewDisposeScope();
        // On the device, so that a step that turns out not to be finite leaves them as they were.
        _sums = [.. groups.Select(group => tensor([0.0, -1.0], ScalarType.Float64, DeviceOf(group)).DetachFromDisposeScope())];
    }

    public override IReadOnlyList<double> EffectiveRates => _rates;

    protected sealed override IEnumerable<Tensor> SharedState => _sums;

    /// <summary>How the direction of a step follows from the gradient.</summary>
    /// <param name="step">The number of the step, from 1.</param>
    protected abstract ScheduleFreeDirection DirectionOf(int step);

    protected sealed override void BeforeUpdates(in StepInfo info)
    {
        var rates = _rates.ToArray();
        for (var i = 0; i < _sums.Length; i++)
        {
            if (NextStep(i) is not { } step) continue;
            rates[i] = _options.RateOf(info.LearningRates[i], step);
            var (sum, largest) = (_sums[i][0], _sums[i][1]);
            var weight = largest.clamp_min_(rates[i]).pow(_options.RatePower) * Math.Pow(step, _options.StepPower);
            sum.add_(weight);
            // Steps at a rate of 0 count nothing.
            _shares[i] = where(sum > 0, weight / sum, zeros_like(sum)).to(ScalarType.Float32);
        }

        _rates = rates;
    }

    protected sealed override ScheduleFreeFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        DirectionOf(step), (float)(group.WeightDecay ?? _options.WeightDecay), (float)_options.Interpolation, (float)_rates[groupIndex]);

    protected sealed override Tensor? SharedOf(int groupIndex) => _shares[groupIndex];

    /// <summary>The number of the group's step that comes: as many as the parameter with the most has taken, and one more; null where no
    /// parameter has a gradient.</summary>
    private int? NextStep(int group) =>
        Of(group).Where(parameter => parameter.HasGradient).Max(parameter => (int?)parameter.Step) + 1;

    public override IDisposable? UseEvaluationWeights() => SwappedWeights.Begin(All, parameter =>
    {
        var y = parameter.Value.detach().to(ScalarType.Float32);
        return y + ((parameter[Stepped] - y) * (1 - (1 / _options.Interpolation)));
    });

    protected override void SaveShared(StateWriter writer)
    {
        for (var i = 0; i < _sums.Length; i++) writer.Tensor($"average.{i}", _sums[i]);
    }

    protected override void LoadShared(StateReader reader)
    {
        for (var i = 0; i < _sums.Length; i++) reader.CopyTo($"average.{i}", _sums[i]);
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (var sum in _sums) sum.Dispose();
    }

    private static Device DeviceOf(ParameterGroup group) => group.Parameters.Count > 0 ? group.Parameters[0].Value.device : CPU;
}

/// <summary>How the direction of a schedule-free step follows from the gradient.</summary>
/// <param name="HasSquares">Whether v ← β₂v + (1 − β₂)g² is kept in the second slot.</param>
/// <param name="Divides">Whether the direction is g/(√(v/(1 − β₂ᵗ)) + ε) instead of g.</param>
/// <param name="Beta2">β₂.</param>
/// <param name="Rest2">1 − β₂.</param>
/// <param name="Correction">1 − β₂ᵗ.</param>
/// <param name="Epsilon">ε.</param>
internal readonly record struct ScheduleFreeDirection(
    bool HasSquares, bool Divides, float Beta2, float Rest2, float Correction, float Epsilon)
{
    /// <summary>With squares.</summary>
    public static ScheduleFreeDirection Of(double beta2, double epsilon, int step, bool divides) =>
        new(true, divides, (float)beta2, (float)(1 - beta2), (float)(1 - Math.Pow(beta2, step)), (float)epsilon);
}

internal readonly record struct ScheduleFreeFormula(ScheduleFreeDirection Direction, float Decay, float Interpolation, float Rate)
    : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var (y, z, direction, share) = (at.Weight, at.First, at.Gradient, at.Shared);
        if (Direction.HasSquares)
        {
            at.Second = (at.Second * Direction.Beta2) + (direction * direction * Direction.Rest2);
            if (Direction.Divides) direction /= T.Sqrt(at.Second / Direction.Correction) + Direction.Epsilon;
        }

        if (Decay != 0) direction += y * Decay;
        at.Weight = y + ((z - y) * share) + (direction * (((((share * -1f) + 1f) * Interpolation) + -1f) * Rate));
        at.First = z + (direction * -Rate);
    }
}
