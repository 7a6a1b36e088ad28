namespace StableTune.Adapters;

/// <summary>Says how many singular values of a layer's change are worth keeping. A host's own is as good as these.</summary>
public abstract record RankMethod : OptionsBase
{
    /// <summary>How many to keep.</summary>
    /// <param name="values">The singular values, decreasing, [n], float32, n at least 1, none below 0.</param>
    /// <returns>From 0 to n; the caller takes at least 1.</returns>
    public abstract int Count(Tensor values);

    /// <summary>The name and number for metadata and messages: "sv_fro: 0.9".</summary>
    public abstract string Describe();

    /// <summary>From 1 to n - 1, as the reference's resizing keeps its indices; 1 where n is 1.</summary>
    private protected static int Within(long count, Tensor values) => (int)Math.Max(1, Math.Min(count, values.numel() - 1));

    /// <summary>One more than the index at which growing shares of the whole reach a part of it.</summary>
    private protected static int Reached(Tensor parts, double target, Tensor values)
    {
        using var scope = NewDisposeScope();
        var shares = parts.cumsum(0) / parts.sum().item<float>();
        var before = (shares < (float)target).sum().item<long>();
        return Within(before + 1, values);
    }
}

/// <summary>Keeps as many singular values as make up a share of something.</summary>
/// <param name="Share">0 to 1; 0.9 is customary.</param>
public abstract record ShareMethod(double Share) : RankMethod
{
    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Share is not (>= 0 and <= 1)) yield return Problem(Share, "the share must be from 0 to 1", "0.9 is customary");
    }
}

/// <summary>
/// Keeps what is larger than the first singular value divided by <paramref name="Ratio"/>: at least 1, at most n - 1. (<c>sv_ratio</c> of
/// sd-scripts' resize_lora)
/// </summary>
/// <param name="Ratio">Above 0; 2 is customary.</param>
public sealed record SingularValueRatio(double Ratio) : RankMethod
{
    /// <inheritdoc/>
    public override int Count(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        return Within((values > values[0] / Ratio).sum().item<long>(), values);
    }

    /// <inheritdoc/>
    public override string Describe() => $"sv_ratio: {PythonRepr.Of(Ratio)}";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Ratio > 0)) yield return Problem(Ratio, "the ratio must be above 0", "2 is customary");
    }
}

/// <summary>
/// Keeps as many as make up a share of the sum of all singular values: one more than the index that reaches it, at least 1, at most
/// n - 1. (<c>sv_cumulative</c> of sd-scripts' resize_lora)
/// </summary>
/// <param name="Share">0 to 1; 0.9 is customary.</param>
public sealed record SingularValueSum(double Share) : ShareMethod(Share)
{
    /// <inheritdoc/>
    public override int Count(Tensor values) => Reached(values, Share, values);

    /// <inheritdoc/>
    public override string Describe() => $"sv_cumulative: {PythonRepr.Of(Share)}";
}

/// <summary>
/// Keeps as many as make up a share of the Frobenius norm: one more than the index at which the squares reach the share's square, at
/// least 1, at most n - 1. (<c>sv_fro</c> of sd-scripts' resize_lora)
/// </summary>
/// <param name="Share">0 to 1; 0.9 is customary.</param>
public sealed record FrobeniusShare(double Share) : ShareMethod(Share)
{
    /// <inheritdoc/>
    public override int Count(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        return Reached(values.pow(2), Share * Share, values);
    }

    /// <inheritdoc/>
    public override string Describe() => $"sv_fro: {PythonRepr.Of(Share)}";
}

/// <summary>Keeps the singular values above a limit. (mode <c>threshold</c> of LyCORIS' extraction)</summary>
/// <param name="Limit">At least 0.</param>
public sealed record SingularValueThreshold(double Limit) : RankMethod
{
    /// <inheritdoc/>
    public override int Count(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        return (int)(values > Limit).sum().item<long>();
    }

    /// <inheritdoc/>
    public override string Describe() => $"threshold: {PythonRepr.Of(Limit)}";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Limit >= 0)) yield return Problem(Limit, "the limit must be at least 0", "0.1 is a start");
    }
}

/// <summary>Keeps the singular values above a part of the first one. (mode <c>ratio</c> of LyCORIS' extraction)</summary>
/// <param name="Part">0 to 1.</param>
public sealed record PartOfLargest(double Part) : RankMethod
{
    /// <inheritdoc/>
    public override int Count(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        return (int)(values > values[0] * Part).sum().item<long>();
    }

    /// <inheritdoc/>
    public override string Describe() => $"ratio: {PythonRepr.Of(Part)}";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Part is not (>= 0 and <= 1)) yield return Problem(Part, "the part must be from 0 to 1", "0.1 is a start");
    }
}

/// <summary>Keeps the singular values whose running sum stays below a share of the whole. (mode <c>percentile</c> or <c>quantile</c> of
/// LyCORIS' extraction)</summary>
/// <param name="Share">0 to 1.</param>
public sealed record SumBelow(double Share) : RankMethod
{
    /// <inheritdoc/>
    public override int Count(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        return (int)(values.cumsum(0) < values.sum() * Share).sum().item<long>();
    }

    /// <inheritdoc/>
    public override string Describe() => $"percentile: {PythonRepr.Of(Share)}";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Share is not (>= 0 and <= 1)) yield return Problem(Share, "the share must be from 0 to 1", "0.8 is a start");
    }
}
