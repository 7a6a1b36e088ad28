using System.Globalization;
using StableTune.Training;

namespace StableTune;

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
    public override string ReferenceName => !AmsGrad && WeightDecay == 0.01 && (Beta1, Beta2, Epsilon) == (0.9, 0.999, 1e-8)
        ? "torch.optim.adamw.AdamW"
        : string.Create(CultureInfo.InvariantCulture, $"torch.optim.adamw.AdamW(betas=({Beta1}, {Beta2}),eps={Epsilon},weight_decay={WeightDecay},amsgrad={(AmsGrad ? "True" : "False")})");

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
}

/// <summary>
/// θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; θ ← θ − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
/// Whole groups are updated by one operator each: an adapter has hundreds of small tensors.
/// </summary>
internal sealed class AdamW : IOptimizer
{
    private const string First = "m", Second = "v", Largest = "vmax", StepCount = "step";

    private readonly AdamWOptions _options;
    private readonly Moments[][] _moments;      // per group, per parameter
    private int _step;

    internal AdamW(AdamWOptions options, IReadOnlyList<ParameterGroup> groups)
    {
        (_options, Groups) = (options, groups);
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        _moments = [.. groups.Select(group => group.Parameters.Select(p => new Moments(
            Zeros(p.Value), Zeros(p.Value), options.AmsGrad ? Zeros(p.Value) : null)).ToArray())];
    }

    public IReadOnlyList<ParameterGroup> Groups { get; }

    public OptimizerState State => new(
        Entries().SelectMany(e => e.Moments.Named().Select(m => KeyValuePair.Create(Key(e.Name, m.Quantity), m.Value))).ToDictionary(StringComparer.Ordinal),
        new Dictionary<string, double> { [StepCount] = _step });

    public void Step(IReadOnlyList<double> learningRates)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        _step++;
        for (var i = 0; i < Groups.Count; i++) StepGroup(Groups[i].Parameters, _moments[i], learningRates[i]);
    }

    private void StepGroup(IReadOnlyList<NamedParameter> parameters, Moments[] moments, double rate)
    {
        List<Tensor> weights = [], gradients = [], first = [], second = [], largest = [];
        for (var i = 0; i < parameters.Count; i++)
        {
            if (parameters[i].Value.grad is not { } gradient) continue;
            weights.Add(parameters[i].Value);
            gradients.Add(gradient);
            first.Add(moments[i].First);
            second.Add(moments[i].Second);
            if (moments[i].Largest is { } most) largest.Add(most);
        }

        if (weights.Count == 0) return;
        var (beta1, beta2) = (_options.Beta1, _options.Beta2);
        var correction1 = 1 - Math.Pow(beta1, _step);
        var correction2 = Math.Sqrt(1 - Math.Pow(beta2, _step));

        if (_options.WeightDecay != 0) engine.foreach_mul_(weights, 1 - rate * _options.WeightDecay);
        engine.foreach_mul_(first, beta1);
        engine.foreach_add_(first, gradients, 1 - beta1);
        engine.foreach_mul_(second, beta2);
        engine.foreach_addcmul_(second, gradients, gradients, 1 - beta2);
        for (var i = 0; i < largest.Count; i++) largest[i].copy_(maximum(largest[i], second[i]));
        var denominators = engine.foreach_sqrt(_options.AmsGrad ? largest : second);
        engine.foreach_div_(denominators, correction2);
        engine.foreach_add_(denominators, _options.Epsilon);
        engine.foreach_addcdiv_(weights, first, denominators, -rate / correction1);
    }

    public void LoadState(OptimizerState state)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        foreach (var (name, moments) in Entries())
            foreach (var (quantity, value) in moments.Named()) Restore(state, Key(name, quantity), value);

        _step = state.Scalars.TryGetValue(StepCount, out var step) ? (int)step : throw new ArgumentException($"The optimizer state has no \"{StepCount}\".", nameof(state));
    }

    private static void Restore(OptimizerState state, string key, Tensor target)
    {
        if (!state.Tensors.TryGetValue(key, out var saved)) throw new ArgumentException($"The optimizer state has no \"{key}\": it was saved for other parameters.", nameof(state));
        if (!saved.shape.SequenceEqual(target.shape))
            throw new ArgumentException($"\"{key}\" has shape [{string.Join(", ", saved.shape)}] in the optimizer state, the parameter has [{string.Join(", ", target.shape)}].", nameof(state));
        target.copy_(saved);
    }

    private IEnumerable<(string Name, Moments Moments)> Entries() =>
        Groups.SelectMany((group, i) => group.Parameters.Select((p, k) => (p.Name, _moments[i][k])));

    private static string Key(string parameter, string quantity) => $"{parameter}.{quantity}";

    public void Dispose()
    {
        foreach (var (_, moments) in Entries())
            foreach (var (_, value) in moments.Named()) value.Dispose();
    }

    private static Tensor Zeros(Tensor like) => zeros_like(like).DetachFromDisposeScope();

    private readonly record struct Moments(Tensor First, Tensor Second, Tensor? Largest)
    {
        public IEnumerable<(string Quantity, Tensor Value)> Named()
        {
            yield return (AdamW.First, First);
            yield return (AdamW.Second, Second);
            if (Largest is not null) yield return (AdamW.Largest, Largest);
        }
    }
}
