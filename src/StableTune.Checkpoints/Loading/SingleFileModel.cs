using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model in one file under the original names, as a source.</summary>
internal sealed class SingleFileModel : ModelSource
{
    private readonly SingleFileCheckpoint _checkpoint;
    private readonly ModelLoadOptions _options;

    private SingleFileModel(string path, SingleFileCheckpoint checkpoint, ModelLoadOptions options) : base(path) =>
        (_checkpoint, _options) = (checkpoint, options);

    /// <summary>The file with all that is known of it.</summary>
    public SingleFileCheckpoint Checkpoint => _checkpoint;

    /// <summary>Opens the file and finds out what it is.</summary>
    /// <exception cref="InvalidFileException">It is no model, or none that is supported; an option contradicts it.</exception>
    public static SingleFileModel Open(string path, ModelLoadOptions options)
    {
        var isYaml = options.ConfigurationPath is { } configuration && ModelLoadOptions.IsYaml(configuration);
        return new SingleFileModel(path, SingleFileCheckpoint.Open(path, new SingleFileOptions
        {
            Version = options.Version,
            Prediction = options.Prediction,
            Ema = options.Ema,
            ConfigurationPath = isYaml ? null : options.ConfigurationPath,
            YamlPath = isYaml ? options.ConfigurationPath : null,
        }), options);
    }

    /// <inheritdoc/>
    public override UNetOptions ReadUNet() => _checkpoint.UNet.Options;

    /// <inheritdoc/>
    public override SchedulerOptions ReadScheduler() => _checkpoint.Scheduler;

    /// <inheritdoc/>
    public override ModelDetails Identify(UNetOptions unet, SchedulerOptions scheduler) => _checkpoint.Details with { Path = Path };

    /// <inheritdoc/>
    public override ModelPart Part(string name) => name switch
    {
        ModelPart.UNet => Whole(name, _checkpoint.UNet, options => new UNet2DConditionModel(options)),
        ModelPart.Vae => Whole(name, _checkpoint.Vae ?? throw Lacks("VAE", "Give a VAE as VaePath, or use a file of a whole model."),
            options => new AutoencoderKL(options)),
        _ => Text(name),
    };

    /// <inheritdoc/>
    public override ITextTokenizer ReadTokenizer(string textEncoder, string? folder)
    {
        var isSecond = textEncoder == ModelPart.TextEncoder2;
        // A folder of configurations may hold the tokenizers too; otherwise they are those that all published models have.
        if (folder is null && _options.ConfigurationPath is { } configuration
            && Directory.Exists(System.IO.Path.Combine(configuration, TokenizerOf(textEncoder))))
            folder = System.IO.Path.Combine(configuration, TokenizerOf(textEncoder));
        if (folder is not null)
        {
            var own = ClipTokenizer.FromFolder(folder);
            // One tokenizer for both encoders is the first's: the second fills with "!", the first id.
            return isSecond ? own.WithPadId(System.IO.Path.GetFileName(folder) == TokenizerOf(textEncoder) ? own.PadId : 0) : own;
        }

        // Under the names that sd-scripts gives them in a folder of tokenizers.
        if (isSecond)
            return TokenizerLocation.KeptOr(
                "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", _options, ClipTokenizer.Sd1().WithPadId(0)).WithPadId(0);
        return _checkpoint.Version == ModelVersion.Sd2
            ? TokenizerLocation.KeptOr("stabilityai/stable-diffusion-2", _options, ClipTokenizer.Sd2())
            : TokenizerLocation.KeptOr("openai/clip-vit-large-patch14", _options, ClipTokenizer.Sd1());
    }

    /// <inheritdoc/>
    public override string PlaceOf(string part) => Path;

    /// <inheritdoc/>
    public override void Dispose() => _checkpoint.Dispose();

    private ModelPart Text(string name)
    {
        var part = (name == ModelPart.TextEncoder2 ? _checkpoint.TextEncoder2 : _checkpoint.TextEncoder)
            ?? throw Lacks(name == ModelPart.TextEncoder2 ? "second text encoder" : "text encoder", "Use a file of a whole model.");
        var text = TextArchitecture.Clip(part.Options);
        return new ModelPart(name, text, text.Build, () => part.Weights, Same);
    }

    private static ModelPart Whole<TOptions>(string name, CheckpointPart<TOptions> part, Func<TOptions, nn.Module> build) where TOptions
        : OptionsBase =>
        new(name, part.Options, () => build(part.Options), () => part.Weights, Same);

    // The views have the modules' names already, and only those that modules have a use for.
    private static string Same(string name) => name;

    private InvalidFileException Lacks(string what, string remedy) => new(Path, $"the file has no {what}.", remedy);
}
