namespace StableTune.Optimizers;

/// <summary>Lion with its mean in float32, as <c>lion_pytorch.Lion</c>.</summary>
public sealed record LionOptions : LionFamilyOptions
{
    /// <summary>
    /// Whether <see cref="LionFamilyOptions.WeightDecay"/> is the share that is taken off a weight in a step at the full rate, whatever
    /// that is: it is divided by the largest of the groups' initial rates. Default false.
    /// </summary>
    public bool DecoupledWeightDecay { get; init; }

    private protected override string ReferenceClassName => "lion_pytorch.lion_pytorch.Lion";

    private protected override IEnumerable<(string Name, object? Value, object? Usual)> FurtherArguments =>
        [("decoupled_weight_decay", DecoupledWeightDecay, false)];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        // Where all rates are 0 nothing decays, whatever it is divided by.
        var largest = groups.Select(group => group.LearningRate).DefaultIfEmpty().Max();
        return new LionOnVectors(this, groups, FlatSlot.Zeros("m"), DecoupledWeightDecay && largest > 0 ? largest : 1);
    }
}
