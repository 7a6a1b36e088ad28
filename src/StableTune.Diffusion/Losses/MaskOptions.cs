namespace StableTune.Losses;

/// <summary>How masks act on the loss.</summary>
public sealed record MaskOptions : OptionsBase
{
    /// <summary>
    /// Whether masks act on prediction and target instead of on the loss (sd-trainer), so that with the squared error their squares count.
    /// Default false.
    /// </summary>
    public bool Squared { get; init; }

    /// <summary>
    /// Whether the loss of a sample is divided by the mean of its mask, so that small masks teach as much as large ones (OneTrainer).
    /// Default false.
    /// </summary>
    public bool NormalizeByArea { get; init; }

    /// <summary>What places outside of a mask count at least, 0 to 1. Default 0, nothing.</summary>
    public double UnmaskedWeight { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(UnmaskedWeight is >= 0 and <= 1))
            yield return Problem(UnmaskedWeight, "places outside of a mask count 0 to 1", "0.1 is customary where they are to count");
    }

    /// <summary>The factors of the element-wise loss.</summary>
    /// <param name="mask">[B, 1 or C, h, w], 0 to 1.</param>
    /// <returns>In the shape of the mask; a mask that is 0 everywhere stays so.</returns>
    internal Tensor Factors(Tensor mask)
    {
        using var scope = NewDisposeScope();
        var factors = UnmaskedWeight > 0 ? mask.clamp(min: UnmaskedWeight) : mask;
        if (Squared) factors = factors * factors;
        if (NormalizeByArea) factors = factors / factors.mean([1L, 2L, 3L], keepdim: true).clamp(min: 1e-6);
        return factors.alias().MoveToOuterDisposeScope();
    }
}
