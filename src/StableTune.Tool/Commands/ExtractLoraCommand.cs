using System.CommandLine;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Tool.Commands;

/// <summary>A LoRA of what two models differ in: sd-scripts' <c>networks/extract_lora_from_models.py</c>.</summary>
internal sealed class ExtractLoraCommand : AdapterCommand
{
    private readonly Option<string> _original, _tuned;
    private readonly Option<int> _rank;
    private readonly Option<int?> _convolutionRank;
    private readonly Option<double> _quantile, _difference;
    private readonly Option<bool> _v2, _sdxl, _predictsV, _noClamp;
    private readonly Option<string?> _mode;
    private readonly Option<double?> _parameter;

    public ExtractLoraCommand() : base("extract-lora", "Make a LoRA of what a tuned model differs from the original in")
    {
        var defaults = new AdapterExtractOptions();
        _original = Required<string>("model_org", "The original model: a file or folder");
        _tuned = Required<string>("model_tuned", "The tuned model: a file or folder");
        _rank = Option("dim", "The rank; with --mode the largest", defaults.Rank);
        _convolutionRank = Optional<int?>("conv_dim", "The rank of 3x3 convolutions; they are left out without it");
        _quantile = Option("clamp_quantile", "The quantile at which factors are clamped", defaults.ClampQuantile!.Value);
        _noClamp = Flag("no_clamp", "Clamp nothing: the best approximation");
        _difference = Option("min_diff", "Text encoders that differ by no more are left out", defaults.MinimumDifference);
        _mode = Choice("mode", "Choose each layer's rank by singular values, as LyCORIS does", null, "threshold", "ratio", "percentile");
        _parameter = Optional<double?>("mode_param", "The limit (threshold), part of the largest (ratio) or share of the sum (percentile)");
        _v2 = Flag("v2", "Insist on SD 2.x; the kind of model is found out otherwise");
        _sdxl = Flag("sdxl", "Insist on SDXL");
        _predictsV = Flag("v_parameterization", "The models predict v, where they do not say so");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var reading = new ModelLoadOptions
        {
            Version = arguments.GetValue(_sdxl) ? ModelVersion.Sdxl : arguments.GetValue(_v2) ? ModelVersion.Sd2 : ModelVersion.Auto,
            Prediction = arguments.GetValue(_predictsV) ? ModelPrediction.V : ModelPrediction.Auto,
        };
        var options = With(new AdapterExtractOptions
        {
            Rank = arguments.GetValue(_rank), ConvolutionRank = arguments.GetValue(_convolutionRank), Method = Method(arguments),
            ClampQuantile = arguments.GetValue(_noClamp) ? null : arguments.GetValue(_quantile),
            MinimumDifference = arguments.GetValue(_difference), Reading = reading,
        }, arguments, run);
        run.Report(AdapterExtractor.Extract(arguments.GetRequiredValue(_original), arguments.GetRequiredValue(_tuned), SaveTo(arguments),
            options, run.Cancellation));
    }

    private RankMethod? Method(ParseResult arguments)
    {
        if (arguments.GetValue(_mode) is not { } mode) return null;
        var parameter = arguments.GetValue(_parameter) ?? throw new InvalidOptionsException(
            [new("--mode_param", null, $"{mode} needs a number", "give a number from 0 to 1")]);
        return mode switch
        {
            "threshold" => new SingularValueThreshold(parameter),
            "ratio" => new PartOfLargest(parameter),
            _ => new SumBelow(parameter),
        };
    }
}
