using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>
/// The base of optimizers that find their own rate. A step looks at all parameters first and sums, then estimates d from the sums, then
/// changes weights and what is remembered of them. All of it stays on the device: d is read only by those who ask for rates.
/// </summary>
internal abstract class DistanceOptimizer : FlatOptimizer
{
    private const string DistanceName = "d";

    private readonly Dictionary<string, Tensor> _numbers = new(StringComparer.Ordinal);
    private readonly string[] _sums;
    private DistanceStep? _step;

    /// <param name="options">The options.</param>
    /// <param name="groups">What is stepped.</param>
    /// <param name="slots">What is remembered of each number.</param>
    /// <param name="sums">The names of the sums over all parameters in a step.</param>
    /// <param name="numbers">What is remembered of the whole run besides d: names and first values.</param>
    protected DistanceOptimizer(DistanceOptions options, IReadOnlyList<ParameterGroup> groups, IReadOnlyList<FlatSlot> slots, string[] sums,
        params ReadOnlySpan<(string Name, double First)> numbers) : base(options, groups, slots)
    {
        _sums = sums;
        var device = All.Select(parameter => parameter.Value.device).FirstOrDefault() ?? CPU;
        _numbers.Add(DistanceName, Scalar(options.D0, device).DetachFromDisposeScope());
        foreach (var (name, first) in numbers) _numbers.Add(name, Scalar(first, device).DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    /// <remarks>d times the rates that were given, with d after the step; reading them waits for the device.</remarks>
    public override IReadOnlyList<double> EffectiveRates
    {
        get
        {
            using var scope = NewDisposeScope();
            var distance = Distance.cpu().to(ScalarType.Float64).item<double>();
            return [.. base.EffectiveRates.Select(rate => rate * distance)];
        }
    }

    /// <inheritdoc/>
    public override Tensor? RateFactor => Distance;

    /// <summary>What is remembered of the whole run, d among it: scalars by name.</summary>
    internal IReadOnlyDictionary<string, Tensor> Numbers => _numbers;

    /// <inheritdoc/>
    protected override bool IsElementwise => true;

    /// <summary>d, a scalar.</summary>
    protected Tensor Distance => _numbers[DistanceName];

    /// <inheritdoc/>
    protected sealed override IEnumerable<Tensor> SharedState => _numbers.Values;

    /// <summary>Something that is remembered of the whole run, a scalar.</summary>
    /// <param name="name">Its name.</param>
    protected Tensor Number(string name) => _numbers[name];

    /// <summary>The rate λ of a step, of which d is a factor; a scalar. Default d · lr.</summary>
    /// <param name="rate">The largest rate of the groups.</param>
    protected virtual Tensor Rate(double rate) => Distance * rate;

    /// <summary>Adds what a part of the parameters contributes to the step's sums. Changes nothing.</summary>
    /// <param name="update">Weights, gradients and slots.</param>
    /// <param name="ratio">The group's rate divided by the largest one, above 0.</param>
    /// <param name="step">The step.</param>
    protected abstract void Look(FlatUpdate update, double ratio, DistanceStep step);

    /// <summary>Brings what is remembered of the whole run up to date, d with it.</summary>
    /// <param name="step">The step with its sums.</param>
    /// <returns>A scalar that is 0 where no gradient has been seen at all: the step is left out then.</returns>
    protected abstract Tensor Estimate(DistanceStep step);

    /// <summary>Changes weights and slots.</summary>
    /// <param name="update">Weights, gradients and slots.</param>
    /// <param name="ratio">The group's rate divided by the largest one, above 0.</param>
    /// <param name="step">The step; <see cref="Distance"/> has been estimated anew.</param>
    protected abstract void Move(FlatUpdate update, double ratio, DistanceStep step);

    /// <summary>d ← max(d, min(candidate, d · growth)), where something was seen.</summary>
    /// <param name="candidate">A scalar; any value where nothing was seen.</param>
    /// <param name="seen">The scalar that is 0 where nothing was.</param>
    /// <param name="growth">The largest factor.</param>
    protected void Grow(Tensor candidate, Tensor seen, double growth)
    {
        using var scope = NewDisposeScope();
        var limited = minimum(WhereSeen(candidate, seen), Distance * growth);
        Distance.copy_(maximum(Distance, limited));
    }

    /// <summary>A number where something was seen, else 0.</summary>
    protected static Tensor WhereSeen(Tensor number, Tensor seen) => where(seen > 0, number, zeros_like(number));

    /// <summary>The root of Adam's correction of β₂, over that of β₁, for the step after so many: √(1 − β₂ᵏ⁺¹) / (1 − β₁ᵏ⁺¹).</summary>
    protected static Tensor BiasCorrection(Tensor stepsDone, double beta1, double beta2)
    {
        var step = stepsDone + 1;
        return (1 - (step * Math.Log(beta2)).exp()).sqrt() / (1 - (step * Math.Log(beta1)).exp());
    }

    /// <inheritdoc/>
    protected sealed override void BeforeUpdates(in StepInfo info)
    {
        _step = null;
        var largest = info.LearningRates.DefaultIfEmpty(0).Max();
        if (!(largest > 0)) return;
        var step = new DistanceStep(Distance.clone(), Rate(largest), largest,
            _sums.ToDictionary(name => name, _ => zeros_like(Distance), StringComparer.Ordinal));
        LookAtAll(info, update =>
        {
            if (update.LearningRate > 0) Look(update, update.LearningRate / largest, step.On(update.Gradients.device));
        });
        var seen = Estimate(step);
        _step = step with { Rate = WhereSeen(step.Rate, seen) };
    }

    /// <inheritdoc/>
    protected sealed override void Update(FlatUpdate update)
    {
        if (_step is not { } step || !(update.LearningRate > 0)) return;
        Move(update, update.LearningRate / step.LargestRate, step.On(update.Gradients.device));
    }

    /// <inheritdoc/>
    protected sealed override void SaveShared(StateWriter writer)
    {
        foreach (var (name, value) in _numbers) writer.Tensor(name, value);
    }

    /// <inheritdoc/>
    protected sealed override void LoadShared(StateReader reader)
    {
        foreach (var (name, value) in _numbers) reader.CopyTo(name, value);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var number in _numbers.Values) number.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>In double precision, which only Apple's devices lack.</summary>
    private static Tensor Scalar(double value, Device device) =>
        tensor(value, device.type == DeviceType.MPS ? ScalarType.Float32 : ScalarType.Float64, device);
}

/// <summary>What all parameters share in a step, on the device.</summary>
/// <param name="Distance">d before the step, a scalar.</param>
/// <param name="Rate">λ, a scalar; in the moves 0 where no gradient has been seen.</param>
/// <param name="LargestRate">The largest rate of the groups.</param>
/// <param name="Sums">The sums over all parameters, scalars by name.</param>
internal sealed record DistanceStep(Tensor Distance, Tensor Rate, double LargestRate, IReadOnlyDictionary<string, Tensor> Sums)
{
    /// <summary>Adds to a sum.</summary>
    /// <param name="name">The sum's name.</param>
    /// <param name="terms">The terms, [n], float32.</param>
    /// <param name="weight">What they are multiplied by.</param>
    public void Add(string name, Tensor terms, double weight)
    {
        var sum = Sums[name];
        sum.add_(terms.sum().to(sum.dtype).to(sum.device), alpha: weight);
    }

    /// <summary>λ times a number, a scalar in the type of the vectors that it is to be multiplied by.</summary>
    public Tensor Factor(double number) => (Rate * number).to(ScalarType.Float32);

    /// <summary>The same with d and λ on another device.</summary>
    public DistanceStep On(Device device) => this with { Distance = Distance.to(device), Rate = Rate.to(device) };
}
