namespace StableTune.Optimizers;

/// <summary>
/// Of each tensor: ρ = the rate, or min(0.01 or 1e-6·t, 1/√t); a = ρ · max(ε₂, RMS(θ)) or ρ; β₂ = 1 − t^d; u = g² + ε₁. With two dimensions
/// or more, over the last two: r ← β₂r + (1 − β₂)·mean(u over columns), c likewise over rows, s = g/√(r/mean(r) · c); else
/// v ← β₂v + (1 − β₂)u, s = g/√v. s ← a · s/max(1, RMS(s)/clip); with β₁: m ← β₁m + (1 − β₁)s, s = m. θ ← θ − wd·a·θ; θ ← θ − s.
/// Tensors of one shape are computed together: an adapter has hundreds of them, in few shapes.
/// </summary>
internal sealed class AdaFactor : StatefulOptimizer
{
    private const string Rows = "rows", Columns = "columns", Squares = "v", Mean = "m";

    /// <summary>2 MiB in float32: small tensors go together, and a large one alone, where it lies.</summary>
    private const long NumbersOfAThread = 1 << 19;

    private readonly AdaFactorOptions _options;
    private readonly Tensor?[] _reported;
    private double[] _rates;

    public AdaFactor(AdaFactorOptions options, IReadOnlyList<ParameterGroup> groups) : base(options, groups,
    [
        new(Rows, weight => IsFactored(weight) ? Zeros(weight, weight.shape[..^1]) : null),
        new(Columns, weight => IsFactored(weight) ? Zeros(weight, [.. weight.shape[..^2], weight.shape[^1]]) : null),
        new(Squares, weight => IsFactored(weight) ? null : Zeros(weight, weight.shape)),
        .. options.Beta1 is null ? Array.Empty<OptimizerSlot>() : [new(Mean, weight => Zeros(weight, weight.shape))],
    ])
    {
        _options = options;
        _rates = [.. groups.Select(group => group.LearningRate)];
        _reported = new Tensor?[groups.Count];
    }

    /// <summary>The size a of the first parameter's step in each group, as transformers' AdafactorSchedule reports it. Reading it waits
    /// for the device.</summary>
    public override IReadOnlyList<double> EffectiveRates
    {
        get
        {
            for (var i = 0; i < _reported.Length; i++)
            {
                if (_reported[i] is not { } rate) continue;
                _rates[i] = rate.item<float>();
                Forget(i);
            }

            return _rates;
        }
    }

    protected override void BeforeUpdates(in StepInfo info)
    {
        // A list that was given out stays as it was.
        _rates = [.. _rates];
    }

    protected override void Update(OptimizerUpdate update)
    {
        if (!UsesOperators && TryUpdateOnHost(update)) return;
        foreach (var alike in update.Parameters.GroupBy(parameter => string.Join(',', parameter.Value.shape)))
        {
            foreach (var part in alike.Chunk(AtOnce(alike.First().Value)))
            {
                using var scope = NewDisposeScope();
                Update(update, part);
            }
        }
    }

    private void Update(OptimizerUpdate update, OptimizedParameter[] alike)
    {
        var weights = Stacked(alike.Select(parameter => parameter.Value.detach()));                      // [K, ...]
        var gradients = Stacked(alike.Select(parameter => parameter.Gradient));                          // as weights
        var rate = Rate(update, weights);                                                                // [K, 1, ...]
        Report(update, alike, rate);
        var step = Direction(alike, gradients, 1 - Math.Pow(update.Step, _options.DecayRate));           // as weights
        step.mul_((rate / (Rms(step) / _options.ClipThreshold).clamp_min_(1)).to(ScalarType.Float32));
        if (_options.Beta1 is { } beta)
        {
            var mean = Stacked(alike.Select(parameter => parameter[Mean]));
            mean.mul_(beta).add_(step, 1 - beta);
            PutBack(mean, alike.Select(parameter => parameter[Mean]));
            step = mean;
        }

        var decay = update.Group.WeightDecay ?? _options.WeightDecay;
        if (decay > 0) weights.mul_((rate * -decay).add_(1));
        PutWeights(update with { Parameters = alike }, weights.sub_(step).view(-1));
    }

    /// <summary>Changes tensors of float32 where they lie in the memory of the CPU; false where they are others.</summary>
    private bool TryUpdateOnHost(OptimizerUpdate update)
    {
        var (onHost, others) = HostTensor.Split(update, _ => true);
        if (others.Count > 0) return false;
        AdaFactorTensor[] tensors = [.. onHost.Select(tensor => new AdaFactorTensor(tensor, [Rows, Columns, Squares, Mean]))];
        var step = new AdaFactorStep(BaseRate(update), _options.ScaleParameter ? _options.Epsilon.Scale : null,
            (float)_options.Epsilon.Squares, 1 - Math.Pow(update.Step, _options.DecayRate), _options.ClipThreshold, _options.Beta1,
            update.Group.WeightDecay ?? _options.WeightDecay);
        var sizes = new double[tensors.Length];
        Parallel.For(0, tensors.Length, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() },
            i => sizes[i] = AdaFactorOnHost.Change(tensors[i], step));
        if (update.Parameters.ToList().IndexOf(Of(update.GroupIndex)[0]) is var first and >= 0)
        {
            Forget(update.GroupIndex);
            _rates[update.GroupIndex] = sizes[first];
        }

        GC.KeepAlive(update);
        return true;
    }

    /// <summary>How many tensors like this one are computed together: on a CPU no more than are worth being copied
    /// together.</summary>
    private static int AtOnce(Tensor weight) => weight.device_type != DeviceType.CPU ? int.MaxValue
        : (int)Math.Max(1, NumbersOfAThread * get_num_threads() / Math.Max(1, weight.numel()));

    /// <summary>a: the size of a step, [K, 1, ...].</summary>
    private Tensor Rate(OptimizerUpdate update, Tensor weights)
    {
        var rate = BaseRate(update);
        return _options.ScaleParameter ? Rms(weights).clamp_min_(_options.Epsilon.Scale).mul_(rate)
            : full([weights.shape[0], .. Enumerable.Repeat(1L, (int)weights.dim() - 1)], rate, ScalarType.Float32, weights.device);
    }

    /// <summary>ρ.</summary>
    private double BaseRate(OptimizerUpdate update) => !_options.RelativeStep ? update.LearningRate
        : Math.Min(_options.WarmsUp ? 1e-6 * update.Step : 1e-2, 1 / Math.Sqrt(update.Step));

    /// <summary>The gradients divided by the roots of their squares' means, [K, ...].</summary>
    private Tensor Direction(OptimizedParameter[] alike, Tensor gradients, double beta2)
    {
        var squares = gradients.square().add_(_options.Epsilon.Squares);
        if (!IsFactored(alike[0].Value))
        {
            var mean = Averaged(alike, Squares, squares, beta2);
            return mean.rsqrt().mul_(gradients);
        }

        var rows = Averaged(alike, Rows, squares.mean([-1]), beta2);                                     // [K, ..., R]
        var columns = Averaged(alike, Columns, squares.mean([-2]), beta2);                               // [K, ..., C]
        var shares = (rows / rows.mean([-1], keepdim: true)).rsqrt_().unsqueeze(-1);
        return (gradients * shares).mul_(columns.rsqrt().unsqueeze(-2));
    }

    /// <summary>A remembered mean with new numbers taken in, [K, ...].</summary>
    private static Tensor Averaged(OptimizedParameter[] alike, string slot, Tensor numbers, double kept)
    {
        var mean = Stacked(alike.Select(parameter => parameter[slot]));
        mean.mul_(kept).add_(numbers, 1 - kept);
        PutBack(mean, alike.Select(parameter => parameter[slot]));
        return mean;
    }

    private void Report(OptimizerUpdate update, OptimizedParameter[] alike, Tensor rate)
    {
        if (!alike.Contains(Of(update.GroupIndex)[0])) return;
        Forget(update.GroupIndex);
        _reported[update.GroupIndex] = rate.view(-1)[Array.IndexOf(alike, Of(update.GroupIndex)[0])].clone().DetachFromDisposeScope();
    }

    private void Forget(int group)
    {
        _reported[group]?.Dispose();
        _reported[group] = null;
    }

    /// <summary>The root mean square of each tensor, [K, 1, ...].</summary>
    private static Tensor Rms(Tensor tensors) =>
        tensors.square().mean([.. Enumerable.Range(1, (int)tensors.dim() - 1).Select(dimension => (long)dimension)], keepdim: true).sqrt_();

    /// <summary>Tensors of one shape as one, [K, ...], float32; of one alone its own memory, where it is of that type. Numbers are [K,
    /// 1].</summary>
    private static Tensor Stacked(IEnumerable<Tensor> tensors)
    {
        Tensor[] all = [.. tensors];
        var vector = FlatTensors.Join(all);
        return all[0].dim() == 0 ? vector.unsqueeze(-1) : vector.view([all.Length, .. all[0].shape]);
    }

    private static void PutBack(Tensor stacked, IEnumerable<Tensor> tensors) => FlatTensors.PutBack(stacked.view(-1), [.. tensors]);

    private static bool IsFactored(Tensor weight) => weight.dim() >= 2;

    private static Tensor Zeros(Tensor weight, long[] shape) => zeros(shape, ScalarType.Float32, weight.device);

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        for (var i = 0; i < _reported.Length; i++) Forget(i);
    }
}
