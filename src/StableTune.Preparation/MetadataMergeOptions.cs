using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>What is taken from the text files beside images.</summary>
public enum MergedText
{
    /// <summary>Captions, from <c>.caption</c> files: sd-scripts' <c>merge_captions_to_metadata</c>.</summary>
    Captions,

    /// <summary>Tags, from <c>.txt</c> files: sd-scripts' <c>merge_dd_tags_to_metadata</c>.</summary>
    Tags,
}

/// <summary>How text files beside images become a metadata file.</summary>
public sealed record MetadataMergeOptions : OptionsBase
{
    /// <summary>The folder of the images; required.</summary>
    public string? ImageFolder { get; init; }

    /// <summary>
    /// The metadata file to write; required. What stands in it already is added to, unless <see cref="Input"/> names another.
    /// </summary>
    public string? Output { get; init; }

    /// <summary>The metadata file to add to; null for <see cref="Output"/> where that exists.</summary>
    public string? Input { get; init; }

    /// <summary>What the text files hold.</summary>
    public MergedText Text { get; init; }

    /// <summary>The text files' extension; null for <c>.caption</c> or <c>.txt</c>, as <see cref="Text"/> says.</summary>
    public string? Extension { get; init; }

    /// <summary>
    /// Whether keys are paths that begin with <see cref="ImageFolder"/> as it is given. Otherwise they are paths from there on; of images
    /// directly in it the names without extension.
    /// </summary>
    public bool FullPath { get; init; }

    /// <summary>Whether folders inside are searched too.</summary>
    public bool Recursive { get; init; }

    /// <summary>
    /// Whether an <see cref="Output"/> that is there and is not the input is written over. Without it the tool says so and does not begin.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in FolderRules.OfImages("MetadataMergeOptions.ImageFolder", ImageFolder)) yield return problem;
        if (string.IsNullOrWhiteSpace(Output)) yield return Problem(Output, "a file to write is required", "name one, such as meta.json");
        else foreach (var problem in MetadataFile.OfOutput("MetadataMergeOptions.Output", Output, Input ?? Output, Overwrite))
            yield return problem;
        if (Input is not null && !File.Exists(Input))
            yield return Problem(Input, "the metadata file is missing", "fix the path, or leave it out to begin anew");
        if (Extension is not null && Extension.Trim('.', ' ').Length == 0)
            yield return Problem(Extension, "the extension of text files must not be empty", "give for instance .txt");
    }
}
