using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Tags images with a WD14 tagger: sd-scripts' <c>tag_images_by_wd14_tagger.py</c>.</summary>
internal sealed class WdTaggerCommand : ToolCommand
{
    private readonly Argument<string> _folder;
    private readonly Option<string> _repository, _separator;
    private readonly Option<string?> _modelFolder, _extension, _undesired, _first, _replacement, _output;
    private readonly Option<int> _batch;
    private readonly Option<int?> _workers;
    private readonly Option<float> _threshold;
    private readonly Option<float?> _general, _character, _copyright, _meta, _model, _artist;
    private readonly Option<bool> _renew, _append, _overwrite, _skip, _underscores, _rating, _ratingLast, _quality, _qualityLast,
        _charactersFirst, _expand, _frequencies, _recursive;

    public WdTaggerCommand() : base("tag-images-by-wd14-tagger", "Tag images with a WD14 tagger (ONNX)")
    {
        _folder = Argument<string>("train_data_dir", "The folder of the images");
        _repository = Option("repo_id", "The tagger: a name on the hub, a folder or an ONNX file", WdTaggerOptions.DefaultModel);
        _modelFolder = Optional<string?>("model_dir",
            "A folder that holds the tagger (without --repo_id under any name), or that it is downloaded into");
        _renew = Flag("force_download", "Ask the hub for a newer tagger, whatever --model_dir holds");
        _batch = Option("batch_size", "Images shown at once", 1);
        _workers = Optional<int?>("max_data_loader_n_workers", "Threads that read images ahead; one less than the cores when left out");
        _extension = Optional<string?>("caption_extension", "The extension of the text files; .txt when left out",
            aliases: "caption_extention");
        _threshold = Option("thresh", "The score that a tag needs", 0.35f);
        _general = Optional<float?>("general_threshold", "The same for general tags; above 1 writes none");
        _character = Optional<float?>("character_threshold", "The same for characters");
        _copyright = Optional<float?>("copyright_threshold", "The same for series");
        _meta = Optional<float?>("meta_threshold", "The same for meta tags");
        _model = Optional<float?>("model_threshold", "The same for models");
        _artist = Optional<float?>("artist_threshold", "The same for artists");
        _recursive = Flag("recursive", "Search folders inside too");
        _underscores = Flag("remove_underscore", "Write blanks for underscores");
        _undesired = Optional<string?>("undesired_tags", "Tags that are not written: \"a,b\"");
        _frequencies = Flag("frequency_tags", "Say how often each tag was found");
        _append = Flag("append_tags", "Add to the tags that are there");
        _overwrite = Flag("overwrite", "Replace the tags that are there");
        _skip = Flag("skip_existing", "Leave images with tags out, as after a stop");
        _rating = Flag("use_rating_tags", "Write the rating first");
        _ratingLast = Flag("use_rating_tags_as_last_tag", "Write the rating last");
        _quality = Flag("use_quality_tags", "Write the quality first");
        _qualityLast = Flag("use_quality_tags_as_last_tag", "Write the quality last");
        _charactersFirst = Flag("character_tags_first", "Write characters before general tags");
        _first = Optional<string?>("always_first_tags", "Tags that come first where an image has them: \"1girl,1boy\"");
        _separator = Option("caption_separator", "What stands between tags", ", ");
        _replacement = Optional<string?>("tag_replacement", "Tags that are written as others: \"a,b;c,d\"");
        _expand = Flag("character_tag_expand", "Write name_(series) as name, series");
        _output = Optional<string?>("output_path", "One file for all tags, .json or .jsonl, in place of text files");
        Flag("onnx", "Taken as given: taggers are ONNX files");
        Flag("debug", "No effect");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var (model, hub) = PreparationWords.Model(arguments.GetRequiredValue(_repository),
            arguments.GetResult(_repository) is { Implicit: false }, arguments.GetValue(_modelFolder), arguments.GetValue(_renew));
        var output = arguments.GetValue(_output);
        var options = new TaggingOptions
        {
            ImageFolder = arguments.GetRequiredValue(_folder), Recursive = arguments.GetValue(_recursive), Output = output,
            Extension = arguments.GetValue(_extension), BatchSize = arguments.GetValue(_batch),
            Existing = PreparationWords.Existing(arguments, _append, _overwrite, _skip),
            Selection = Selection(arguments),
        };
        if (arguments.GetValue(_workers) is { } workers) options = options with { Workers = workers };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        using var tagger = new WdTaggerOptions { Model = model, Hub = hub }.Load(run.Progress, run.Cancellation);
        run.Report(ImageTagging.Run(options, tagger, run.Progress, run.Cancellation), arguments.GetValue(_frequencies));
    }

    private TagSelection Selection(ParseResult arguments) => new()
    {
        Threshold = arguments.GetValue(_threshold), GeneralThreshold = arguments.GetValue(_general),
        CharacterThreshold = arguments.GetValue(_character), CopyrightThreshold = arguments.GetValue(_copyright),
        MetaThreshold = arguments.GetValue(_meta), ModelThreshold = arguments.GetValue(_model),
        ArtistThreshold = arguments.GetValue(_artist), RemoveUnderscores = arguments.GetValue(_underscores),
        UndesiredTags = PreparationWords.Tags(arguments.GetValue(_undesired)),
        FirstTags = PreparationWords.Tags(arguments.GetValue(_first)),
        Rating = Place(arguments.GetValue(_rating), arguments.GetValue(_ratingLast)),
        Quality = Place(arguments.GetValue(_quality), arguments.GetValue(_qualityLast)),
        CharactersFirst = arguments.GetValue(_charactersFirst), ExpandCharacters = arguments.GetValue(_expand),
        Separator = arguments.GetRequiredValue(_separator), Replacements = Replacements(arguments.GetValue(_replacement)),
    };

    private static TagPosition Place(bool first, bool last) => last ? TagPosition.Last : first ? TagPosition.First : TagPosition.Nowhere;

    private static IReadOnlyDictionary<string, string> Replacements(string? words)
    {
        try
        {
            return TagReplacements.Parse(words ?? "");
        }
        catch (FormatException e)
        {
            throw new InvalidOptionsException([new("--tag_replacement", words, e.Message.TrimEnd('.'), "write \"old,new;old,new\"")]);
        }
    }
}
