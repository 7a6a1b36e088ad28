using System.CommandLine;
using StableTune.Checkpoints;

namespace StableTune.Tool.Commands;

/// <summary>Adapters into a model: sd-scripts' <c>networks/merge_lora.py --sd_model</c>.</summary>
internal sealed class MergeIntoModelCommand : ModelCommand
{
    private readonly Option<string> _model, _saveTo;
    private readonly Option<string[]> _adapters;
    private readonly Option<double[]?> _ratios;
    private readonly Option<string?> _precision;

    public MergeIntoModelCommand() : base("merge-into-model", "Merge adapters of any kind into a model", "save_precision")
    {
        _model = Required<string>("sd_model", "The model: a file or folder");
        _adapters = Required<string[]>("models", "The adapter files");
        _ratios = Optional<double[]?>("ratios", "The factor of each; 1 when left out");
        _saveTo = Required<string>("save_to", "The file (.safetensors, .ckpt) or folder to write");
        _precision = Choice("precision", "The type to hold the weights in meanwhile", "float", CommonOptions.PrecisionNames);
    }

    protected override void Run(ParseResult arguments, ToolRun run) => run.Report(AdapterIntoModel.Merge(
        arguments.GetRequiredValue(_model),
        CommonOptions.Adapters(arguments.GetRequiredValue(_adapters), arguments.GetValue(_ratios)), arguments.GetRequiredValue(_saveTo),
        new AdapterIntoModelOptions
        {
            Precision = CommonOptions.Precision(arguments.GetValue(_precision)!), Saving = Saving(arguments, run),
        }, run.Cancellation));
}
