using System.CommandLine;
using StableTune.Adapters;

namespace StableTune.Tool.Commands;

/// <summary>LoRA with LoRA: sd-scripts' <c>networks/merge_lora.py</c> without <c>--sd_model</c>.</summary>
internal sealed class MergeLoraCommand : AdapterCommand
{
    private readonly Option<string[]> _models;
    private readonly Option<double[]?> _ratios;
    private readonly Option<string?> _precision;
    private readonly Option<bool> _reference, _concat, _shuffle;
    private readonly Option<long> _seed;

    public MergeLoraCommand() : base("merge-lora", "Merge LoRA files into one, exactly: ratio times change, ranks joined")
    {
        _models = Required<string[]>("models", "The LoRA files");
        _ratios = Optional<double[]?>("ratios", "The factor of each; 1 when left out");
        _precision = Choice("precision", "The type to compute in", "float", CommonOptions.PrecisionNames);
        _reference = Flag("reference", "Add the factors as sd-scripts does: ratios act squared, and products of different files mix in");
        _concat = Flag("concat", "With --reference: join the factors as sd-scripts does with --concat; otherwise they are always joined");
        _shuffle = Flag("shuffle", "Put the ranks of each layer into random order");
        _seed = Option("seed", "What --shuffle draws from", 0L);
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var adapters = CommonOptions.Adapters(arguments.GetRequiredValue(_models), arguments.GetValue(_ratios));
        var options = With(new AdapterMergeOptions
        {
            Precision = CommonOptions.Precision(arguments.GetValue(_precision)!),
            ShuffleSeed = arguments.GetValue(_shuffle) ? arguments.GetValue(_seed) : null,
            Method = (arguments.GetValue(_reference), arguments.GetValue(_concat)) switch
            {
                (true, true) => AdapterMergeMethod.ReferenceConcat,
                (true, false) => AdapterMergeMethod.ReferenceSum,
                _ => AdapterMergeMethod.Exact,
            },
        }, arguments, run);
        run.Report(AdapterMerger.Merge(adapters, SaveTo(arguments), options, run.Cancellation));
    }
}
