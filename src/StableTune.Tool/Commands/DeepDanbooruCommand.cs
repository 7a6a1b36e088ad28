using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Tags images with DeepDanbooru: the guides' <c>deepdanbooru evaluate</c>.</summary>
internal sealed class DeepDanbooruCommand : ToolCommand
{
    private readonly Argument<string> _action, _folder;
    private readonly Option<string> _project;
    private readonly Option<string?> _output;
    private readonly Option<float> _threshold;
    private readonly Option<int> _batch;
    private readonly Option<bool> _append, _overwrite, _skip, _recursive, _frequencies;

    public DeepDanbooruCommand() : base("deepdanbooru", "Tag images with DeepDanbooru (ONNX): deepdanbooru evaluate FOLDER ...")
    {
        _action = Argument<string>("action", "evaluate");
        _action.AcceptOnlyFromAmong("evaluate");
        _folder = Argument<string>("folder", "The folder of the images");
        _project = Required<string>("project_path", "The folder with the ONNX file and tags.txt, the ONNX file, or a name on the hub");
        _threshold = Option("threshold", "The probability that a tag needs", 0.5f);
        _batch = Option("batch_size", "Images shown at once", 1);
        _recursive = Flag("recursive", "Search folders inside too");
        _output = Optional<string?>("output_path", "One file for all tags, .json or .jsonl, in place of text files");
        _append = Flag("append_tags", "Add to the tags that are there");
        _overwrite = Flag("overwrite", "Replace the tags that are there");
        _skip = Flag("skip_existing", "Leave images with tags out, as after a stop");
        _frequencies = Flag("frequency_tags", "Say how often each tag was found");
        Flag("allow_folder", "Taken as given");
        Flag("save_txt", "Taken as given");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = new TaggingOptions
        {
            ImageFolder = arguments.GetRequiredValue(_folder), Recursive = arguments.GetValue(_recursive),
            Output = arguments.GetValue(_output), BatchSize = arguments.GetValue(_batch),
            Existing = PreparationWords.Existing(arguments, _append, _overwrite, _skip),
            Selection = new() { Threshold = arguments.GetValue(_threshold) },
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        using var tagger = new DeepDanbooruOptions { Model = arguments.GetRequiredValue(_project) }.Load(run.Progress, run.Cancellation);
        run.Report(ImageTagging.Run(options, tagger, run.Progress, run.Cancellation), arguments.GetValue(_frequencies));
    }
}
