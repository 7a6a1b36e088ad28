using System.CommandLine;
using StableTune.Models;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Captions by BLIP: sd-scripts' <c>finetune/make_captions.py</c>.</summary>
internal sealed class MakeCaptionsCommand : ToolCommand
{
    private readonly Argument<string> _folder;
    private readonly Option<string> _weights, _prompt;
    private readonly Option<string?> _extension, _output, _vocabulary, _device, _precision;
    private readonly Option<bool> _beams, _recursive, _debug, _skip, _overwrite, _append;
    private readonly Option<int> _batch, _beamCount, _maxLength, _minLength, _topK;
    private readonly Option<int?> _workers;
    private readonly Option<double> _topP;
    private readonly Option<double?> _penalty;
    private readonly Option<long> _seed;

    public MakeCaptionsCommand() : base("make-captions", "Describe images with BLIP, a text file beside each: sd-scripts' make_captions.py")
    {
        var (texts, sampling) = (new CaptioningOptions(), new NucleusSampling());
        _folder = Argument<string>("train_data_dir", "The folder of the images");
        _weights = Option("caption_weights", "The model: a name on the hub, its folder, or a file such as model_large_caption.pth",
            "Salesforce/blip-image-captioning-large");
        _vocabulary = Optional<string?>("vocabulary", "For a file: vocab.txt of bert-base-uncased [default: beside it, or the hub's]");
        _extension = Optional<string?>("caption_extension", "The extension of caption files [default: .caption]",
            aliases: "caption_extention");
        _output = Optional<string?>("output_path", "A metadata file (.json, .jsonl) for all captions, in place of files beside the images");
        _beams = Flag("beam_search", "Search for the likeliest caption; without it words are drawn by chance");
        _beamCount = Option("num_beams", "Beginnings that a search follows at a time", new BeamSearch().Beams);
        _topP = Option("top_p", "Words are drawn from the likeliest that together have this probability", sampling.TopP);
        _topK = Option("top_k", "Words are drawn from so many at most; 0 for all", sampling.TopK!.Value);
        _maxLength = Option("max_length", "Captions are cut at so many tokens, the prompt included", sampling.MaxLength);
        _minLength = Option("min_length", "Captions have so many tokens at least, the prompt included", sampling.MinLength);
        _penalty = Optional<double?>("repetition_penalty",
            "Makes repeated words less likely [default: 1.1 by chance, 1 with --beam_search]");
        _prompt = Option("prompt", "How captions begin; it is cut off again", new BlipCaptionerOptions().Prompt);
        _seed = Option("seed", "Decides what is drawn", 42L);
        _batch = Option("batch_size", "Images described at the same time", texts.BatchSize);
        _workers = Optional<int?>("max_data_loader_n_workers", "Threads that read images ahead [default: one less than the processors]");
        _device = Optional<string?>("device", "Where it is computed: cuda, cpu [default: cuda where it is there]");
        _precision = Choice("precision", "The numbers that it computes in", "fp32", CommonOptions.PrecisionNames);
        _recursive = Flag("recursive", "Search folders inside too");
        _skip = Flag("skip_existing", "Leave out images that have a caption: goes on where an earlier call ended");
        _overwrite = Flag("overwrite", "Replace captions that are there");
        _append = Flag("append_captions", "Add to captions that are there");
        _debug = Flag("debug", "Show each image and its caption");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var captioning = Captioning(arguments, run);
        var blip = Blip(arguments);
        InvalidOptionsException.ThrowIfAny([.. captioning.Validate(), .. blip.Validate()]);
        using var captioner = BlipCaptioner.Load(arguments.GetRequiredValue(_weights), blip, run.Progress, run.Cancellation);
        run.Report(ImageCaptioning.Run(captioning, captioner, run.Progress, run.Cancellation));
    }

    private CaptioningOptions Captioning(ParseResult arguments, ToolRun run)
    {
        var initial = new CaptioningOptions();
        return initial with
        {
            ImageFolder = arguments.GetRequiredValue(_folder), Recursive = arguments.GetValue(_recursive),
            Extension = arguments.GetValue(_extension), Output = arguments.GetValue(_output),
            Existing = PreparationWords.Existing(arguments, _append, _overwrite, _skip), BatchSize = arguments.GetValue(_batch),
            Workers = arguments.GetValue(_workers) ?? initial.Workers,
            Written = arguments.GetValue(_debug) ? new CaptionLines(run.Say) : null,
        };
    }

    private BlipCaptionerOptions Blip(ParseResult arguments)
    {
        TextDecoding decoding = arguments.GetValue(_beams) ? new BeamSearch { Beams = arguments.GetValue(_beamCount) }
            : new NucleusSampling
            {
                TopP = arguments.GetValue(_topP), TopK = arguments.GetValue(_topK) is var count && count == 0 ? null : count,
            };
        return new()
        {
            Decoding = decoding with
            {
                MaxLength = arguments.GetValue(_maxLength), MinLength = arguments.GetValue(_minLength),
                RepetitionPenalty = arguments.GetValue(_penalty) ?? decoding.RepetitionPenalty,
            },
            Prompt = arguments.GetRequiredValue(_prompt), Seed = arguments.GetValue(_seed), Vocabulary = arguments.GetValue(_vocabulary),
            Device = CommonOptions.Device(arguments.GetValue(_device)) ?? (cuda.is_available() ? new Device("cuda") : null),
            WeightType = CommonOptions.Precision(arguments.GetValue(_precision)!),
        };
    }

    /// <summary>Says each caption as it is written.</summary>
    private sealed class CaptionLines(Action<string> say) : IProgress<ImageText>
    {
        public void Report(ImageText value) => say($"{value.Path} {value.Text}");
    }
}
