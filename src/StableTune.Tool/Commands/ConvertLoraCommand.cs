using System.CommandLine;
using StableTune.Adapters;
using StableTune.Checkpoints;

namespace StableTune.Tool.Commands;

/// <summary>Adapter files under other names: sd-scripts' for diffusers' and PEFT's, and back.</summary>
internal sealed class ConvertLoraCommand : ToolCommand
{
    private static readonly Dictionary<string, AdapterNaming> s_namings = new(StringComparer.OrdinalIgnoreCase)
    {
        ["kohya"] = AdapterNamings.SdScripts, ["peft"] = AdapterNamings.Peft,
    };

    private readonly Option<string> _model, _saveTo;
    private readonly Option<string?> _to;
    private readonly Option<bool> _overwrite;

    public ConvertLoraCommand() : base("convert-lora", "Write an adapter file under the names of other programs")
    {
        _model = Required<string>("model", "The adapter file; whose names it has is found out");
        _saveTo = Required<string>("save_to", "The file to write, .safetensors");
        _to = Choice("to", "The names to write: sd-scripts' (kohya), or diffusers' and PEFT's (peft)", "kohya", [.. s_namings.Keys]);
        _overwrite = Flag("overwrite", "Replace a file that is there already");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var (source, target) = (arguments.GetRequiredValue(_model), arguments.GetRequiredValue(_saveTo));
        if (File.Exists(target) && !arguments.GetValue(_overwrite))
            throw new IOException($"'{target}' exists: give another name, or --overwrite.");
        run.Note(AdapterConverter.Convert(source, target, s_namings[arguments.GetValue(_to)!]).Notes);
        run.Output.WriteLine($"saved {target}");
    }
}
