namespace StableTune.Optimizers;

/// <summary>
/// Adam and AdamW in one operator over the vector of an update, whatever way their moments are kept in: in eight bits, in host memory, or
/// in float32 beside weights of half precision. The weights see the new moments before they are rounded.
/// </summary>
internal sealed class AdamOnVectors : FlatOptimizer
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

    protected override void Update(FlatUpdate update) => FusedAdamW.Step(
        new AdamWTensors([update.Weights], [update.Gradients], [update[First]], [update[Second]], _keepsLargest ? [update[Largest]] : null,
            [full([], (float)update.Step, device: update.Weights.device)]),
        _options.Rates(update.LearningRate, update.Group) with { DecayIsCoupled = _decayIsCoupled });
}
