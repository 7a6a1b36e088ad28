using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>
/// What schedule-free optimizers share: with a direction d, c = q_t/(q_1 + … + q_t), q_t = t^r · (largest rate so far)^p, and b the
/// interpolation: d ← d + wd·y; y ← y + c(z − y) + lr(b(1 − c) − 1)d; z ← z − lr·d. The parameters hold y; the average is
/// x = y + (1 − 1/b)(z − y).
/// </summary>
internal abstract class ScheduleFree : FlatOptimizer
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

    protected sealed override bool IsElementwise => true;

    protected sealed override IEnumerable<Tensor> SharedState => _sums;

    /// <summary>The direction of a step, [n]: a tensor of its own, which may be changed.</summary>
    protected abstract Tensor Direction(FlatUpdate update);

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

    protected sealed override void Update(FlatUpdate update)
    {
        var (y, z, rate, share) = (update.Weights, update[Stepped], _rates[update.GroupIndex], _shares[update.GroupIndex]!);
        var direction = Direction(update);
        var decay = update.Group.WeightDecay ?? _options.WeightDecay;
        if (decay > 0) direction.add_(y, decay);
        y.lerp_(z, share).addcmul_(direction, ((1 - share) * _options.Interpolation).sub_(1).mul_(rate), 1);
        z.add_(direction, -rate);
    }

    /// <summary>The number of the group's step that comes: as many as the parameter with the most has taken, and one more; null where no
    /// parameter has a gradient.</summary>
    private int? NextStep(int group) =>
        Of(group).Where(parameter => parameter.Value.grad is not null).Max(parameter => (int?)parameter.Step) + 1;

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
