using System.CommandLine;
using StableTune.Adapters;

namespace StableTune.Tool.Commands;

/// <summary>Another rank: sd-scripts' <c>networks/resize_lora.py</c>.</summary>
internal sealed class ResizeLoraCommand : AdapterCommand
{
    private readonly Option<string> _model;
    private readonly Option<int> _rank;
    private readonly Option<int?> _convolutionRank;
    private readonly Option<string?> _method;
    private readonly Option<double?> _parameter;
    private readonly Option<bool> _exact, _verbose;

    public ResizeLoraCommand() : base("resize-lora", "Give a LoRA another rank, the same for all layers or chosen by singular values")
    {
        _model = Required<string>("model", "The LoRA file");
        _rank = Option("new_rank", "The rank; with --dynamic_method the largest", new AdapterResizeOptions().Rank);
        _convolutionRank = Optional<int?>("new_conv_rank", "The rank of convolutions; the same when left out");
        _method = Choice("dynamic_method", "Choose each layer's rank by its singular values", null, "sv_ratio", "sv_cumulative", "sv_fro");
        _parameter = Optional<double?>("dynamic_param", "The ratio (sv_ratio) or share that is kept (sv_cumulative, sv_fro)");
        _exact = Flag("exact_rank", "With --dynamic_method: not one rank more than counted, which sd-scripts keeps");
        _verbose = Flag("verbose", "Show what is left of each layer");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = With(new AdapterResizeOptions
        {
            Rank = arguments.GetValue(_rank), ConvolutionRank = arguments.GetValue(_convolutionRank), Method = Method(arguments),
            KeepOneMore = !arguments.GetValue(_exact),
        }, arguments, run);
        var resized = AdapterResizer.Resize(arguments.GetRequiredValue(_model), SaveTo(arguments), options, run.Cancellation);
        if (arguments.GetValue(_verbose)) run.Output.WriteLine(resized);
        run.Report(resized.Saved);
    }

    private RankMethod? Method(ParseResult arguments)
    {
        if (arguments.GetValue(_method) is not { } method) return null;
        var parameter = arguments.GetValue(_parameter) ?? throw new InvalidOptionsException(
            [new("--dynamic_param", null, $"{method} needs a number", "give 2 or more for sv_ratio, 0 to 1 for the others")]);
        return method switch
        {
            "sv_ratio" => new SingularValueRatio(parameter),
            "sv_cumulative" => new SingularValueSum(parameter),
            _ => new FrobeniusShare(parameter),
        };
    }
}
