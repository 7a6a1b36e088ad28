namespace StableTune.Optimizers;

/// <summary>
/// Adam that remembers both moments in eight bits, as bitsandbytes' <c>Adam8bit</c>: <see cref="AdamW8bitOptions"/> without weight decay
/// by default. Where there is one it is apart from the gradient there too, unlike in torch's Adam.
/// </summary>
public sealed record Adam8bitOptions : AdamFamilyOptions
{
    /// <summary>Adam's defaults: no weight decay.</summary>
    public Adam8bitOptions() => WeightDecay = 0;

    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adam.Adam8bit";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => AdamOnVectors.EightBit(this, groups);
}
