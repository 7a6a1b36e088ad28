using System.CommandLine;
using StableTune.Adapters;

namespace StableTune.Tool.Commands;

/// <summary>LoRAs out of a DyLoRA: sd-scripts' <c>networks/extract_lora_from_dylora.py</c>.</summary>
internal sealed class ExtractDyLoRACommand : AdapterCommand
{
    private readonly Option<string> _model;
    private readonly Option<int> _unit;
    private readonly Option<bool> _keepAlpha;

    public ExtractDyLoRACommand() : base("extract-dylora", "Cut a DyLoRA into LoRAs of the ranks unit, 2 unit, ...")
    {
        _model = Required<string>("model", "The DyLoRA file");
        _unit = Option("unit", "The step between ranks", new DyLoRAExtractOptions().Unit);
        _keepAlpha = Flag("keep_alpha", "Leave alpha as it is, as sd-scripts does: smaller ranks then act more strongly");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = With(
            new DyLoRAExtractOptions { Unit = arguments.GetValue(_unit), KeepAlpha = arguments.GetValue(_keepAlpha) }, arguments, run);
        foreach (var saved in DyLoRAExtractor.Extract(arguments.GetRequiredValue(_model), SaveTo(arguments), options, run.Cancellation))
            run.Report(saved);
    }
}
