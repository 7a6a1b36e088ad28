using System.CommandLine;

namespace StableTune.Tool.Commands;

/// <summary>A command that writes a model: what all of these take.</summary>
internal abstract class ModelCommand : ToolCommand
{
    private readonly Option<string?> _savePrecision;
    private readonly Option<bool> _overwrite, _noMetadata;

    protected ModelCommand(string name, string description, string precisionOption) : base(name, description)
    {
        _savePrecision = Choice(precisionOption, "The type of the numbers in the result; as computed when left out", null,
            CommonOptions.PrecisionNames);
        _noMetadata = Flag("no_metadata", "Leave out what the file says about itself");
        _overwrite = Flag("overwrite", "Replace a model that is there already");
    }

    /// <summary>How the model is written.</summary>
    protected ModelSaveOptions Saving(ParseResult arguments, ToolRun run) => new()
    {
        Precision = arguments.GetValue(_savePrecision) is { } name ? CommonOptions.Precision(name) : null,
        Overwrite = arguments.GetValue(_overwrite), WriteMetadata = !arguments.GetValue(_noMetadata), Progress = run.Progress,
    };
}
