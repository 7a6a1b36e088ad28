using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Adam and AdamW, on a device in one operator over the vector of an update, whatever way their moments are kept in: in eight bits, in host
/// memory, or in float32 beside weights of half precision. The weights see the new moments before they are rounded.
/// </summary>
internal sealed class AdamOnVectors : ElementwiseOptimizer<AdamFormula>
{
    private const string First = "m", Second = "v", Largest = "vmax";

    private readonly AdamFamilyOptions _options;
    private readonly bool _decayIsCoupled, _keepsLargest;

    private AdamOnVectors(AdamFamilyOptions options, IReadOnlyList<ParameterGroup> groups, bool decayIsCoupled, bool keepsLargest,
        params FlatSlot[] slots) : base(options, groups, slots) =>
        (_options, _decayIsCoupled, _keepsLargest) = (options, decayIsCoupled, keepsLargest);

    /// <summary>With moments in float32.</summary>
    public static AdamOnVectors Plain(
        AdamFamilyOptions options, IReadOnlyList<ParameterGroup> groups, bool inHostMemory = false, bool decayIsCoupled = false,
        bool keepsLargest = false) => new(options, groups, decayIsCoupled, keepsLargest,
        [
            FlatSlot.Zeros(First, inHostMemory), FlatSlot.Zeros(Second, inHostMemory),
            .. keepsLargest ? [FlatSlot.Zeros(Largest, inHostMemory)] : Array.Empty<FlatSlot>(),
        ]);

    /// <summary>With moments in eight bits, and decay apart from the gradient.</summary>
    public static AdamOnVectors EightBit(
        AdamFamilyOptions options, IReadOnlyList<ParameterGroup> groups, bool inHostMemory = false) => new(options, groups, false, false,
            FlatSlot.EightBit(First, BlockwiseQuantization.Signed, inHostMemory),
            FlatSlot.EightBit(Second, BlockwiseQuantization.Unsigned, inHostMemory));

    protected override AdamFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) =>
        AdamFormula.Of(_options, step, rate, group, _decayIsCoupled, _keepsLargest);

    protected override void Update(FlatUpdate update) => FusedAdamW.Step(
        new AdamWTensors([update.Weights], [update.Gradients], [update[First]], [update[Second]], _keepsLargest ? [update[Largest]] : null,
            [full([], (float)update.Step, device: update.Weights.device)]),
        _options.Rates(update.LearningRate, update.Group) with { DecayIsCoupled = _decayIsCoupled });
}

/// <summary>In the order of libtorch's own operator, so that both give the same numbers.</summary>
internal readonly record struct AdamFormula(
    float Decay, float Kept, float Rest1, float Beta2, float Rest2, bool KeepsLargest, float RootCorrection, float Epsilon, float Step)
    : IElementFormula
{
    /// <summary>That of a step.</summary>
    public static AdamFormula Of(
        AdamFamilyOptions options, int step, double rate, ParameterGroup group, bool decayIsCoupled, bool keepsLargest)
    {
        var decay = group.WeightDecay ?? options.WeightDecay;
        return new((float)(decayIsCoupled ? decay : 0), (float)(decayIsCoupled ? 1 : 1 - (rate * decay)), (float)(1 - options.Beta1),
            (float)options.Beta2, (float)(1 - options.Beta2), keepsLargest, (float)Math.Sqrt(1 - Math.Pow(options.Beta2, step)),
            (float)options.Epsilon, (float)(-rate / (1 - Math.Pow(options.Beta1, step))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        if (Kept != 1) at.Weight *= Kept;
        at.First = Rest1 < 0.5f ? T.Lerp(at.First, g, Rest1) : (at.First * (1 - Rest1)) + (g * Rest1);
        at.Second = (at.Second * Beta2) + (g * Rest2 * g);
        if (KeepsLargest) at.Third = T.Max(at.Third, at.Second);
        at.Weight += at.First * Step / ((T.Sqrt(KeepsLargest ? at.Third : at.Second) / RootCorrection) + Epsilon);
    }
}
