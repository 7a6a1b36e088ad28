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
    private readonly string[] _sums;                           // at most three
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

    /// <summary>The names of the sums over all parameters in a step.</summary>
    private protected IReadOnlyList<string> SumNames => _sums;

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

    /// <summary>The same where the parameters lie in the memory of the CPU; false where they do not.</summary>
    private protected abstract bool TryLookOnHost(OptimizerUpdate update, double ratio, DistanceStep step);

    /// <summary>Changes weights and slots where they lie in the memory of the CPU; false where they do not.</summary>
    private protected abstract bool TryMoveOnHost(OptimizerUpdate update, double ratio, DistanceStep step);

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
        LookAtAll(info,
            update => !(update.LearningRate > 0) || TryLookOnHost(update, update.LearningRate / largest, step),
            update =>
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
    private protected sealed override bool TryUpdateOnHost(OptimizerUpdate update) =>
        _step is not { } step || !(update.LearningRate > 0) || TryMoveOnHost(update, update.LearningRate / step.LargestRate, step);

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

/// <summary>The same, with what is done to each number as a formula: in registers on a CPU, with operators elsewhere.</summary>
/// <typeparam name="TFormula">The formula.</typeparam>
internal abstract class DistanceOptimizer<TFormula> : DistanceOptimizer where TFormula : struct, IDistanceFormula
{
    private readonly IReadOnlyList<FlatSlot> _slots;

    /// <inheritdoc cref="DistanceOptimizer(DistanceOptions, IReadOnlyList{ParameterGroup}, IReadOnlyList{FlatSlot}, string[],
    /// ReadOnlySpan{ValueTuple{string, double}})"/>
    protected DistanceOptimizer(DistanceOptions options, IReadOnlyList<ParameterGroup> groups, IReadOnlyList<FlatSlot> slots, string[] sums,
        params ReadOnlySpan<(string Name, double First)> numbers) : base(options, groups, slots, sums, numbers) => _slots = slots;

    /// <summary>The formula of a group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="ratio">Its rate divided by the largest one, above 0.</param>
    protected abstract TFormula FormulaOf(ParameterGroup group, double ratio);

    /// <summary>What the formula knows as <see cref="DistanceShares{T}.Further"/> when it moves numbers, a scalar; null, the default, for
    /// none.</summary>
    protected virtual Tensor? FurtherShare() => null;

    /// <summary>The numbers that the formula looks at. Default all.</summary>
    private protected virtual Elements<TensorNumbers> Looked(FlatUpdate update) => TensorElements.Of(update, _slots);

    /// <summary>Changes weights and slots with operators.</summary>
    private protected virtual void Move(FlatUpdate update, TFormula formula, in DistanceShares<TensorNumbers> step)
    {
        var at = TensorElements.Of(update, _slots);
        formula.Move(ref at, step);
        TensorElements.PutBack(at, update, _slots);
    }

    /// <inheritdoc/>
    protected sealed override void Look(FlatUpdate update, double ratio, DistanceStep step)
    {
        var at = Looked(update);
        var terms = default(Terms<TensorNumbers>);
        FormulaOf(update.Group, ratio).Look(ref at, Shares(step, further: null), ref terms);
        foreach (var (name, term) in SumNames.Zip([terms.First, terms.Second, terms.Third])) step.Add(name, term.Values);
    }

    /// <inheritdoc/>
    protected sealed override void Move(FlatUpdate update, double ratio, DistanceStep step) =>
        Move(update, FormulaOf(update.Group, ratio), Shares(step, FurtherShare()?.to(step.Rate.device)));

    /// <inheritdoc/>
    private protected sealed override bool TryLookOnHost(OptimizerUpdate update, double ratio, DistanceStep step)
    {
        if (HostPlaces.Of(update, RoundsAtRandom, _slots) is not { } parameters) return false;
        var pass = new LookingPass<TFormula>(FormulaOf(update.Group, ratio), OnHost(step, further: null));
        var sums = HostUpdate.Run(pass, parameters, get_num_threads());
        foreach (var (name, sum) in SumNames.Zip([sums.First, sums.Second, sums.Third])) step.Sums[name].add_(sum);
        GC.KeepAlive(update);
        return true;
    }

    /// <inheritdoc/>
    private protected sealed override bool TryMoveOnHost(OptimizerUpdate update, double ratio, DistanceStep step)
    {
        if (HostPlaces.Of(update, RoundsAtRandom, _slots) is not { } parameters) return false;
        HostUpdate.Run(new MovingPass<TFormula>(FormulaOf(update.Group, ratio), OnHost(step, FurtherShare())), parameters,
            get_num_threads());
        GC.KeepAlive(update);
        return true;
    }

    private static DistanceShares<TensorNumbers> Shares(DistanceStep step, Tensor? further) =>
        new(Number(step.Distance), Number(step.Rate), further is null ? default : Number(further));

    private static TensorNumbers Number(Tensor scalar) => new(scalar.to(ScalarType.Float32));

    private static HostShares OnHost(DistanceStep step, Tensor? further) =>
        new((float)step.Distance.item<double>(), (float)step.Rate.item<double>(), (float)(further?.item<double>() ?? 0));
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
    public void Add(string name, Tensor terms)
    {
        var sum = Sums[name];
        sum.add_(terms.sum().to(sum.dtype).to(sum.device));
    }

    /// <summary>The same with d and λ on another device.</summary>
    public DistanceStep On(Device device) => this with { Distance = Distance.to(device), Rate = Rate.to(device) };
}
