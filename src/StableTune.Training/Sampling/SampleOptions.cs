using System.Collections.Immutable;

namespace StableTune;

/// <summary>Pictures drawn with fixed prompts and seeds, to see what was learnt.</summary>
public sealed record SampleOptions : OptionsBase
{
    /// <summary>Where the pictures go; created when missing.</summary>
    public string? Folder { get; init; }

    /// <summary>What is drawn. Each prompt is drawn with its own seed every time, so that pictures stay comparable.</summary>
    public ImmutableList<TextToImageOptions> Prompts { get; init; } = [];

    /// <summary>How many captions of the images that are trained are drawn too, the first different ones, always the same; with their
    /// control
    /// pictures where something looks at those. Default 0.</summary>
    public int CaptionCount { get; init; }

    /// <summary>How captions are drawn: size, steps, sampler, negative prompt; each takes the next seed. Its prompt is not looked
    /// at.</summary>
    public TextToImageOptions Captions { get; init; } = new();

    /// <summary>Before the first step. Default true.</summary>
    public bool Before { get; init; } = true;

    /// <summary>After the last step. Default true.</summary>
    public bool After { get; init; } = true;

    /// <summary>After every so many steps; null for never. Not looked at when <see cref="EveryNEpochs"/> is set.</summary>
    public int? EveryNSteps { get; init; }

    /// <summary>At the end of every so many epochs; null for never.</summary>
    public int? EveryNEpochs { get; init; }

    /// <summary>The first part of file names; null for none.</summary>
    public string? Name { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (CaptionCount < 0) yield return Problem(CaptionCount, "the number of captions must not be negative", "0 draws none");
        if (Prompts.Count == 0 && CaptionCount == 0)
            yield return new OptionProblem(
            $"{nameof(SampleOptions)}.{nameof(Prompts)}", null, "there is nothing to draw", "add a prompt or leave samples off");
        if (EveryNSteps is < 1)
            yield return Problem(EveryNSteps, "the number of steps between samples must be at least 1", "leave it unset for none");
        if (EveryNEpochs is < 1)
            yield return Problem(EveryNEpochs, "the number of epochs between samples must be at least 1", "leave it unset for none");
        if (Name is { } name && name.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0)
            yield return Problem(Name, "it becomes a part of file names", "leave out path separators, or name the folder in Folder");
        if (Folder is null) yield return Problem(Folder, "the pictures need a folder", "name one in WithSamples(folder, prompts)");
        else if (!AtomicFile.CanWriteInto(Folder, out var reason))
            yield return Problem(Folder, $"the folder cannot be written to ({reason.TrimEnd('.')})",
            "choose another folder or mend its permissions");
        foreach (var problem in Prompts.Append(Captions).SelectMany(p => p.Validate())) yield return problem;
    }

    internal bool IsDueAfterStep(int step) => EveryNEpochs is null && EveryNSteps is { } n && step % n == 0;

    internal bool IsDueAfterEpoch(int epoch) => EveryNEpochs is { } n && epoch % n == 0;
}
