using System.Globalization;
using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>Adam with decoupled weight decay (Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101), as torch.optim.AdamW.</summary>
public sealed record AdamWOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Whether the largest second moment so far is used instead of the present one (Reddi et al., arXiv:1904.09237). Default false.</summary>
    public bool AmsGrad { get; init; }

    /// <inheritdoc/>
    /// <remarks>As the reference, only what differs from torch's own defaults, in Python's spelling.</remarks>
    public override string ReferenceName
    {
        get
        {
            List<string> arguments = [];
            if (WeightDecay != 0.01) arguments.Add($"weight_decay={Python(WeightDecay)}");
            if ((Beta1, Beta2) != (0.9, 0.999)) arguments.Add($"betas=({Python(Beta1)}, {Python(Beta2)})");
            if (Epsilon != 1e-8) arguments.Add($"eps={Python(Epsilon)}");
            if (AmsGrad) arguments.Add("amsgrad=True");
            return "torch.optim.adamw.AdamW" + (arguments.Count == 0 ? "" : $"({string.Join(",", arguments)})");
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Beta1 is not (>= 0 and < 1)) yield return Problem(Beta1, "beta 1 must lie in [0, 1)", "0.9 is customary");
        if (Beta2 is not (>= 0 and < 1)) yield return Problem(Beta2, "beta 2 must lie in [0, 1)", "0.999 is customary");
        if (Epsilon is not (> 0 and < double.PositiveInfinity)) yield return Problem(Epsilon, "epsilon must be positive", "1e-8 is customary");
        if (WeightDecay is not (>= 0 and < double.PositiveInfinity)) yield return Problem(WeightDecay, "the weight decay must not be negative", "0.01 is customary, 0 turns it off");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdamW(this, groups);

    /// <summary>"0.1", "1.0", "1e-06": both languages write small numbers with an exponent below 1e-4.</summary>
    private static string Python(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.Contains('.') || text.Contains('e') ? text : text + ".0";
    }
}

/// <summary>
/// θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; θ ← θ − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε), t counted for each tensor.
/// Whole groups are updated by one operator each: an adapter has hundreds of small tensors.
/// </summary>
internal sealed class AdamW : IOptimizer
{
    private const string First = "m", Second = "v", Largest = "vmax", StepCount = "step";

    private readonly AdamWOptions _options;
    private readonly Slot[][] _slots;      // per group, per parameter

    internal AdamW(AdamWOptions options, IReadOnlyList<ParameterGroup> groups)
    {
        (_options, Groups) = (options, groups);
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        _slots = [.. groups.Select(group => group.Parameters.Select(p => new Slot(p, Zeros(p.Value), Zeros(p.Value), options.AmsGrad ? Zeros(p.Value) : null)).ToArray())];
    }

    public IReadOnlyList<ParameterGroup> Groups { get; }

    private IEnumerable<Slot> Slots => _slots.SelectMany(s => s);

    public OptimizerState State => new(
        Slots.SelectMany(s => s.Moments().Select(m => KeyValuePair.Create(s.Key(m.Quantity), m.Value))).ToDictionary(StringComparer.Ordinal),
        Slots.ToDictionary(s => s.Key(StepCount), s => (double)s.Step, StringComparer.Ordinal));

    public void Step(IReadOnlyList<double> learningRates)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        for (var i = 0; i < _slots.Length; i++)
        {
            Slot[] slots = [.. _slots[i].Where(s => s.Parameter.Value.grad is not null)];
            foreach (var slot in slots) slot.Step++;
            // A tensor that had no gradient in some step (an adapter left out by dropout) is behind the others.
            foreach (var same in slots.GroupBy(s => s.Step)) Update([.. same], same.Key, learningRates[i]);
        }
    }

    private void Update(Slot[] slots, int step, double rate)
    {
        Tensor[] weights = [.. slots.Select(s => s.Parameter.Value)], gradients = [.. slots.Select(s => s.Parameter.Value.grad!)];
        Tensor[] first = [.. slots.Select(s => s.First)], second = [.. slots.Select(s => s.Second)];
        // One step count serves all: the kernel only reads it.
        Tensor[] steps = [.. Enumerable.Repeat(full([], (float)step, device: weights[0].device), slots.Length)];
        FusedAdamW.Step(
            new AdamWTensors(weights, gradients, first, second, _options.AmsGrad ? [.. slots.Select(s => s.Largest!)] : null, steps),
            new AdamWRates(rate, _options.Beta1, _options.Beta2, _options.Epsilon, _options.WeightDecay));
    }

    public void LoadState(OptimizerState state)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        foreach (var slot in Slots)
        {
            foreach (var (quantity, value) in slot.Moments()) Restore(state, slot.Key(quantity), value);
            slot.Step = state.Scalars.TryGetValue(slot.Key(StepCount), out var step) ? (int)step : throw Missing(slot.Key(StepCount));
        }
    }

    private static void Restore(OptimizerState state, string key, Tensor target)
    {
        if (!state.Tensors.TryGetValue(key, out var saved)) throw Missing(key);
        if (!saved.shape.SequenceEqual(target.shape))
            throw new ArgumentException($"\"{key}\" has shape [{string.Join(", ", saved.shape)}] in the optimizer state, the parameter has [{string.Join(", ", target.shape)}].", nameof(state));
        target.copy_(saved);
    }

    private static ArgumentException Missing(string key) => new($"The optimizer state has no \"{key}\": it was saved for other parameters.", "state");

    public void Dispose()
    {
        foreach (var (_, value) in Slots.SelectMany(s => s.Moments())) value.Dispose();
    }

    private static Tensor Zeros(Tensor like) => zeros_like(like).DetachFromDisposeScope();

    /// <summary>A parameter with what is remembered of it.</summary>
    private sealed class Slot(NamedParameter parameter, Tensor first, Tensor second, Tensor? largest)
    {
        public NamedParameter Parameter => parameter;

        public Tensor First => first;

        public Tensor Second => second;

        public Tensor? Largest => largest;

        public int Step { get; set; }

        public string Key(string quantity) => $"{parameter.Name}.{quantity}";

        public IEnumerable<(string Quantity, Tensor Value)> Moments()
        {
            yield return (AdamW.First, first);
            yield return (AdamW.Second, second);
            if (largest is not null) yield return (AdamW.Largest, largest);
        }
    }
}
