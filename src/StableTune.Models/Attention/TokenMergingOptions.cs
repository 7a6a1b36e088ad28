namespace StableTune.Models;

/// <summary>
/// Token merging: in transformers of the largest feature maps, tokens that are alike are averaged before attention and spread out again
/// behind it, which saves time and memory at some loss of detail. For training; samples are drawn without.
/// </summary>
/// <remarks>Bolya and Hoffman, Token merging for fast Stable Diffusion, arXiv:2303.17604 (tomesd).</remarks>
public sealed record TokenMergingOptions : OptionsBase
{
    /// <summary>The part of the tokens that are merged away, from 0 to below 1; never more than 1 - 1 / (<see cref="StrideX"/> ·
    /// <see cref="StrideY"/>). Default 0.5.</summary>
    public double Ratio { get; init; } = 0.5;

    /// <summary>The smallest feature maps that are merged, as a part of the latents' side: 1 for those of full size alone, 2, 4 or 8 for
    /// those below too. Default 1.</summary>
    public int MaxDownsample { get; init; } = 1;

    /// <summary>Width of the cells of which one token each is kept to merge others into. Default 2.</summary>
    public int StrideX { get; init; } = 2;

    /// <summary>Height of these cells. Default 2.</summary>
    public int StrideY { get; init; } = 2;

    /// <summary>
    /// Whether the token that is kept is drawn from each cell anew in every pass; the first one else. With an odd number of samples in a
    /// batch it is the first one in any case, as in tomesd, where odd batches stand for broken guidance. Default true.
    /// </summary>
    public bool UseRandom { get; init; } = true;

    /// <summary>Whether self-attention works on merged tokens. Default true.</summary>
    public bool SelfAttention { get; init; } = true;

    /// <summary>Whether attention to the text works on merged tokens. Default false.</summary>
    public bool CrossAttention { get; init; }

    /// <summary>Whether the feed-forward part works on merged tokens. Default false.</summary>
    public bool FeedForward { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Ratio >= 0 && Ratio < 1))
            yield return Problem(Ratio, "the part of the tokens that are merged lies from 0 to below 1", "0.5 is customary");
        if (MaxDownsample is not (1 or 2 or 4 or 8))
            yield return Problem(MaxDownsample, "feature maps have full size, or a half, a fourth or an eighth of it", "give 1, 2, 4 or 8");
        if (StrideX < 1) yield return Problem(StrideX, "a cell is at least one token wide", "2 is customary");
        if (StrideY < 1) yield return Problem(StrideY, "a cell is at least one token high", "2 is customary");
        if (StrideX == 1 && StrideY == 1)
            yield return Problem(StrideX, "with cells of one token every token is kept, and none is merged",
                "give 2 for one of the strides");
        if (!SelfAttention && !CrossAttention && !FeedForward)
            yield return Problem(SelfAttention, "nothing works on merged tokens", "set SelfAttention, CrossAttention or FeedForward");
    }

    /// <summary>Makes the merging of a model's tokens.</summary>
    /// <param name="random">What kept tokens are drawn from, on the CPU; not owned.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public TokenMerging Create(Generator random)
    {
        ArgumentNullException.ThrowIfNull(random);
        InvalidOptionsException.ThrowIfAny(Validate());
        return new TokenMerging(this, random);
    }
}
