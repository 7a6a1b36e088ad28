using System.CommandLine;
using System.Text.Json;
using StableTune.Adapters;

namespace StableTune.Tool.Commands;

/// <summary>LoRA with LoRA of other ranks: sd-scripts' <c>networks/svd_merge_lora.py</c>.</summary>
internal sealed class SvdMergeLoraCommand : AdapterCommand
{
    private readonly Option<string[]> _models;
    private readonly Option<double[]?> _ratios;
    private readonly Option<string[]?> _lbws;
    private readonly Option<int> _rank;
    private readonly Option<int?> _convolutionRank;
    private readonly Option<double> _quantile;
    private readonly Option<string?> _precision;
    private readonly Option<bool> _noClamp;

    public SvdMergeLoraCommand() : base("svd-merge-lora", "Merge LoRA files of any ranks into one of a rank of choice")
    {
        _models = Required<string[]>("models", "The LoRA files");
        _ratios = Optional<double[]?>("ratios", "The factor of each; 1 when left out");
        _lbws = Optional<string[]?>("lbws", "For each file a list of weights by block, 12, 17, 20 or 26 numbers: \"[1,0.5,...]\"");
        _rank = Option("new_rank", "The rank", new SvdMergeOptions().Rank);
        _convolutionRank = Optional<int?>("new_conv_rank", "The rank of 3x3 convolutions; the same when left out");
        _quantile = Option("clamp_quantile", "The quantile at which factors are clamped", new SvdMergeOptions().ClampQuantile!.Value);
        _noClamp = Flag("no_clamp", "Clamp nothing: the best approximation");
        _precision = Choice("precision", "The type to compute in", "float", CommonOptions.PrecisionNames);
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var adapters = CommonOptions.Adapters(arguments.GetRequiredValue(_models), arguments.GetValue(_ratios));
        var lists = arguments.GetValue(_lbws) ?? [];
        if (lists.Length > adapters.Length)
            throw new InvalidOptionsException([new("--lbws", $"{lists.Length} lists", $"there are {adapters.Length} file(s)",
                "give at most one list for each file, in quotes")]);
        var options = With(new SvdMergeOptions
        {
            Rank = arguments.GetValue(_rank), ConvolutionRank = arguments.GetValue(_convolutionRank),
            ClampQuantile = arguments.GetValue(_noClamp) ? null : arguments.GetValue(_quantile),
            Precision = CommonOptions.Precision(arguments.GetValue(_precision)!),
        }, arguments, run);
        var weighted = adapters.Select((adapter, i) => i < lists.Length ? adapter with { BlockWeights = List(lists[i]) } : adapter);
        run.Report(SvdMerger.Merge([.. weighted], SaveTo(arguments), options, run.Cancellation));
    }

    private static double[] List(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<double[]>(text)!;
        }
        catch (JsonException)
        {
            throw new InvalidOptionsException(
                [new("--lbws", ShortText.Of(text), "this is no list of numbers", "write it as \"[1,0.5,1]\"")]);
        }
    }
}
