using StableTune.Data;

namespace StableTune;

/// <summary>What is done to the captions of a subset each time an image is drawn. Nothing, unless set.</summary>
public sealed record CaptionOptions : OptionsBase
{
    /// <summary>
    /// One text in the place of every image's own caption and of class tokens (sd-trainer: <c>dataset.args.prompt</c>, customary with
    /// prompt-free generation); it may be empty. Null, the default, leaves images their own.
    /// </summary>
    public string? Text { get; init; }

    /// <summary>Put before every caption; null is none.</summary>
    public string? Prefix { get; init; }

    /// <summary>
    /// What stands between <see cref="Prefix"/> and caption. Null, the default, is one blank; in data sets of sd-trainer
    /// (<see cref="DatasetBuilder.AddSdTrainer"/>), as there, nothing.
    /// </summary>
    public string? PrefixSeparator { get; init; }

    /// <summary>Put after every caption, with one blank between; null is none.</summary>
    public string? Suffix { get; init; }

    /// <summary>Probability, 0 to 1, that a caption becomes empty. Default 0.</summary>
    public double DropoutRate { get; init; }

    /// <summary>In every epoch whose number (from 1) is a multiple of this, all captions are empty; 0, the default, is never.</summary>
    public int DropoutEveryNEpochs { get; init; }

    /// <summary>
    /// One random line of the caption is used (otherwise the first that is not empty), and <c>{a|b|c}</c> becomes one of its parts;
    /// <c>{{</c> and <c>}}</c> stand for braces.
    /// </summary>
    public bool Wildcard { get; init; }

    /// <summary>
    /// Whether an empty first line of a caption file is the caption, as in sd-scripts, and the image then trained without text. Default
    /// false.
    /// </summary>
    public bool TakeEmptyFirstLine { get; init; }

    /// <summary>Shuffle the parts of the caption that are not kept in place.</summary>
    public bool Shuffle { get; init; }

    /// <summary>
    /// What divides a caption into parts. Processed parts are joined with a comma and a blank, whatever divided them. Default a comma.
    /// </summary>
    public string Separator { get; init; } = ",";

    /// <summary>Number of leading parts that stay in place, the prefix included. Default 0.</summary>
    public int KeepTokens { get; init; }

    /// <summary>
    /// Text before it stays in place, and so does text after a second occurrence; where it occurs it replaces <see cref="KeepTokens"/>. For
    /// instance <c>|||</c>.
    /// </summary>
    public string? KeepTokensSeparator { get; init; }

    /// <summary>Parts joined by it stay together; it becomes the <see cref="Separator"/> in the end. For instance <c>;;;</c>.</summary>
    public string? SecondarySeparator { get; init; }

    /// <summary>Probability, 0 to 1, that a part which is not kept in place is left out. Default 0.</summary>
    public double TagDropoutRate { get; init; }

    /// <summary>Number of movable parts at the first step of token warm-up. Default 1.</summary>
    public int WarmupMin { get; init; } = 1;

    /// <summary>Steps (from 1), or share of all steps (below 1), until all parts are used; 0, the default, is no warm-up.</summary>
    public double WarmupSteps { get; init; }

    /// <summary>The host's own steps, after all others. They are not applied to a dropped caption.</summary>
    public IReadOnlyList<ICaptionStep> Further { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        const string rate = "a rate lies between 0 and 1", tenth = "0.05 to 0.1 is customary";
        if (DropoutRate is not (>= 0 and <= 1)) yield return Problem(DropoutRate, rate, tenth);
        if (TagDropoutRate is not (>= 0 and <= 1)) yield return Problem(TagDropoutRate, rate, tenth);
        if (DropoutEveryNEpochs < 0) yield return Problem(DropoutEveryNEpochs, "it must not be negative", "0 turns it off");
        if (KeepTokens < 0) yield return Problem(KeepTokens, "it must not be negative", "0 keeps none in place");
        if (WarmupMin < 0) yield return Problem(WarmupMin, "it must not be negative", "1 is customary");
        if (WarmupSteps is not (>= 0 and < double.PositiveInfinity))
            yield return Problem(WarmupSteps, "it must not be negative", "0 turns it off, below 1 is a share of all steps");
        if (string.IsNullOrEmpty(Separator)) yield return Problem(Separator, "it must not be empty", "a comma is customary");
        if (KeepTokensSeparator is "") yield return Problem(KeepTokensSeparator, "it must not be empty", "leave it unset, or use |||");
        if (SecondarySeparator is "") yield return Problem(SecondarySeparator, "it must not be empty", "leave it unset, or use ;;;");
    }
}
