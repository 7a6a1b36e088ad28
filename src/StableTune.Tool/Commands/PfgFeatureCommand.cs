using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Keeps what a tagger sees for PFG: sd-trainer's <c>create_pfg_feature.py</c>, earlier <c>tagger_control</c>.</summary>
internal sealed class PfgFeatureCommand : ToolCommand
{
    private readonly Option<string> _folder, _output, _repository;
    private readonly Option<string?> _value;
    private readonly Option<int?> _side;
    private readonly Option<int> _batch;
    private readonly Option<bool> _overwrite, _skip;

    public PfgFeatureCommand() : base("create-pfg-feature", "Keep what a WD14 tagger sees in images, for PFG (.npz)")
    {
        Alias("tagger-control");
        _folder = Required<string>("dataset_path", "The folder of the images", "-d");
        _output = Required<string>("output_path", "The folder to write into", "-o");
        _side = Optional<int?>("image_size", "The side of the pictures; the tagger's own when left out", "-i");
        _batch = Option("batch_size", "Images shown at once", 64, "-b");
        _repository = Option("repo_id", "The tagger: a name on the hub, a folder or an ONNX file", WdTaggerOptions.FeatureModel);
        _value = Optional<string?>("feature", "The name of the value inside the network; what its last layer takes when left out");
        _overwrite = Flag("overwrite", "Replace results that are there");
        _skip = Flag("skip_existing", "Leave images with results out, as after a stop");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = new FeatureMakingOptions
        {
            Source = arguments.GetRequiredValue(_folder), Destination = arguments.GetRequiredValue(_output),
            BatchSize = arguments.GetValue(_batch), Overwrite = arguments.GetValue(_overwrite), KeepExisting = arguments.GetValue(_skip),
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        var tagger = new WdTaggerOptions { Model = arguments.GetRequiredValue(_repository), InputSize = arguments.GetValue(_side) };
        using var source = tagger.LoadFeatures(arguments.GetValue(_value), run.Progress, run.Cancellation);
        run.Report(FeatureMaking.Run(options, source, run.Progress, run.Cancellation));
    }
}
