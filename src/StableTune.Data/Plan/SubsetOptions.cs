namespace StableTune;

/// <summary>How the images of one source are trained. Null means: as the source says.</summary>
public sealed record SubsetOptions : OptionsBase
{
    /// <summary>Times each image occurs in an epoch; null, the default, takes the number of the folder's name, or 1.</summary>
    public int? Repeats { get; init; }

    /// <summary>Caption of images that have none; null, the default, takes the text of the folder's name, if any.</summary>
    public string? ClassTokens { get; init; }

    /// <summary>
    /// Whether these are regularisation images: they keep the model's idea of the class, enter an epoch as often as the training
    /// images do, and their loss is multiplied by <see cref="DatasetOptions.PriorLossWeight"/>.
    /// </summary>
    public bool IsRegularization { get; init; }

    /// <summary>What is done to captions each time an image is drawn.</summary>
    public CaptionOptions Captions { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Repeats < 1) yield return Problem(Repeats, "an image must occur at least once in an epoch", "leave the folder out to train without it");
        foreach (var problem in Captions.Validate()) yield return problem;
    }
}
