namespace StableTune.Data;

/// <summary>When and for whom a caption is drawn.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="Step">Optimizer steps done before the batch that the caption belongs to.</param>
/// <param name="TotalSteps">Optimizer steps of the whole run; 0 where it is not known.</param>
/// <param name="Random">The random numbers of this very use: independent of other images, of workers, and of where a run was
/// resumed.</param>
public readonly record struct CaptionUse(int Epoch, int Step, int TotalSteps, RandomStream Random);

/// <summary>An option because of which captions differ from use to use.</summary>
/// <param name="Option">The option as code names it.</param>
/// <param name="Value">Its value.</param>
public sealed record VaryingOption(string Option, object Value);

/// <summary>One thing done to captions. Immutable, and used by several threads at once.</summary>
public interface ICaptionStep
{
    /// <summary>The option that makes the result differ from use to use; null when it never differs.</summary>
    VaryingOption? VariesBecauseOf { get; }

    /// <summary>Applies the step.</summary>
    /// <param name="caption">The caption so far.</param>
    /// <param name="use">When it is drawn; the only source of randomness.</param>
    /// <returns>The new caption; null drops it: the result is then empty, and no further step is applied.</returns>
    string? Apply(string caption, in CaptionUse use);
}

/// <summary>
/// What happens to a caption each time its image is drawn, in sd-scripts' order: prefix and suffix, caption dropout, choice of
/// line and wildcards, work on the parts (warm-up, shuffle, dropout), secondary separator, and the host's own steps.
/// </summary>
public sealed class CaptionPipeline
{
    /// <summary>A pipeline of these steps, in this order.</summary>
    public CaptionPipeline(IEnumerable<ICaptionStep> steps) => Steps = [.. steps];

    /// <summary>The steps, in order.</summary>
    public IReadOnlyList<ICaptionStep> Steps { get; }

    /// <summary>
    /// The options that make a caption differ from use to use; empty when captions never change, so that they can be encoded once.
    /// </summary>
    public IEnumerable<VaryingOption> VaryingOptions => Steps.Select(step => step.VariesBecauseOf).OfType<VaryingOption>().Distinct();

    /// <summary>The pipeline that the options ask for; steps that would do nothing are left out.</summary>
    public static CaptionPipeline From(CaptionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var steps = new List<ICaptionStep>();
        if (!string.IsNullOrEmpty(options.Prefix) || !string.IsNullOrEmpty(options.Suffix))
            steps.Add(new AffixStep(options.Prefix, options.PrefixSeparator ?? " ", options.Suffix));
        if (options.DropoutRate > 0) steps.Add(new DropoutStep(options.DropoutRate));
        if (options.DropoutEveryNEpochs > 0) steps.Add(new EpochDropoutStep(options.DropoutEveryNEpochs));
        steps.Add(options.Wildcard ? new WildcardStep() : new FirstLineStep());
        if (options.Shuffle || options.WarmupSteps > 0 || options.TagDropoutRate > 0) steps.Add(new TagStep(options));
        if (options.SecondarySeparator is { } secondary) steps.Add(new ReplaceStep(secondary, options.Separator));
        return new(steps.Concat(options.Further));
    }

    /// <summary>The caption for one use.</summary>
    /// <param name="caption">The caption as it belongs to the image; may have several lines.</param>
    /// <param name="use">When it is drawn.</param>
    public string Apply(string caption, in CaptionUse use)
    {
        ArgumentNullException.ThrowIfNull(caption);
        foreach (var step in Steps)
        {
            if (step.Apply(caption, use) is not { } next) return "";
            caption = next;
        }

        return caption;
    }
}
