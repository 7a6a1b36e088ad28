using System.CommandLine;
using StableTune.Adapters;

namespace StableTune.Tool.Commands;

/// <summary>A command that writes an adapter file: what all of these take.</summary>
internal abstract class AdapterCommand : ToolCommand
{
    private readonly Option<string> _saveTo;
    private readonly Option<string?> _savePrecision, _device;
    private readonly Option<bool> _overwrite, _noMetadata;

    protected AdapterCommand(string name, string description) : base(name, description)
    {
        _saveTo = Required<string>("save_to", "The file to write, .safetensors or .pt");
        _savePrecision = Choice("save_precision", "The type of the numbers in the file", "float", CommonOptions.PrecisionNames);
        _device = Optional<string?>("device", "Where to compute: cpu, cuda");
        _noMetadata = Flag("no_metadata", "Leave out the modelspec entries; those that programs need are written all the same");
        _overwrite = Flag("overwrite", "Replace a file that is there already");
    }

    /// <summary>The file to write.</summary>
    protected string SaveTo(ParseResult arguments) => arguments.GetRequiredValue(_saveTo);

    /// <summary>Options with all that these commands have in common.</summary>
    protected TOptions With<TOptions>(TOptions options, ParseResult arguments, ToolRun run) where TOptions : AdapterToolOptions =>
        options with
        {
            SavePrecision = CommonOptions.Precision(arguments.GetValue(_savePrecision)!),
            Device = CommonOptions.Device(arguments.GetValue(_device)), Overwrite = arguments.GetValue(_overwrite),
            WriteSpecification = !arguments.GetValue(_noMetadata), Progress = run.Progress,
        };
}
