using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model folder in diffusers' layout: <c>model_index.json</c>, and a folder with configuration and weights for each
/// part.</summary>
internal sealed class DiffusersFolder : ModelSource
{
    /// <summary>The file that makes a folder a model.</summary>
    public const string IndexName = "model_index.json";

    private const string Scheduler = "scheduler", UNetClass = "UNet2DConditionModel", VaeClass = "AutoencoderKL";

    private readonly ConfigFile _index;
    private readonly PipelineKind _pipeline;
    private readonly ModelLoadOptions _options;

    private DiffusersFolder(string path, ConfigFile index, ModelLoadOptions options) : base(path)
    {
        (_index, _options) = (index, options);
        _pipeline = PipelineKind.Of(index);
    }

    /// <summary>Opens the folder and reads <c>model_index.json</c>.</summary>
    /// <exception cref="InvalidFileException">It is missing, no pipeline, or one of a kind that is not supported.</exception>
    public static DiffusersFolder Open(string path, ModelLoadOptions options)
    {
        var index = System.IO.Path.Combine(path, IndexName);
        if (File.Exists(index)) return new DiffusersFolder(path, new ConfigFile(index), options);
        throw new InvalidFileException(path, "the folder has no model_index.json, so it is no diffusers model." + WhatElse(path),
            "Give the folder that holds model_index.json, unet, vae, text_encoder and tokenizer, or a single checkpoint file.");
    }

    /// <inheritdoc/>
    public override UNetOptions ReadUNet()
    {
        RequireClass(ModelPart.UNet, UNetClass);
        return ArchitectureReader.UNet(Config(ModelPart.UNet));
    }

    /// <inheritdoc/>
    public override SchedulerOptions ReadScheduler() => ArchitectureReader.Scheduler(Config(Scheduler, "scheduler_config.json"));

    /// <inheritdoc/>
    public override ModelDetails Identify(UNetOptions unet, SchedulerOptions scheduler)
    {
        if (unet.TakesAddedConditions != _pipeline.IsXl)
            throw new InvalidFileException(
                _index.Path,
                $"the model is a {_pipeline.Class}, but its UNet takes {(unet.TakesAddedConditions ? "" : "no ")}pooled text and sizes.",
                "Take all parts from one model.");
        if (_pipeline.IsXl && _index.Has(ModelPart.TextEncoder) && _index.Part(ModelPart.TextEncoder) is null)
            throw new InvalidFileException(
                _index.Path, "the model is an SDXL refiner, which has the second text encoder only.", "Use the SDXL base model.");

        // Only SD 2 and SDXL have linear projections; the widths that also tell them apart differ in small models.
        var version = _pipeline.IsXl ? ModelVersion.Sdxl : unet.UseLinearProjection ? ModelVersion.Sd2 : ModelVersion.Sd1;
        if (_options.Version != ModelVersion.Auto && _options.Version != version)
            throw new InvalidFileException(
                PlaceOf(ModelPart.UNet),
                $"the model is {version.Words()} by its configuration, but the option Version says {_options.Version}.",
                "Leave Version unset, or give the model that is meant.");

        var stored = scheduler.Prediction;
        var asked = _options.Prediction;
        List<string> notes = [];
        if (asked != ModelPrediction.Auto && asked != stored)
            notes.Add(
                $"The scheduler's configuration says \"{stored.Name()}\"; the option Prediction says {asked}, which counts.");
        if (_options.ConfigurationPath is not null)
            notes.Add(
                "A model folder has its own configurations: the option ConfigurationPath, which is for single files, was not looked at.");
        if (_options.Ema != default)
            notes.Add(
                "A model folder has no averaged weights beside others: the option Ema, which is for single files, was not looked at.");
        if (UNetFile is { } weights && System.IO.Path.GetFileName(weights) == PaddleWeights.FileName)
            notes.Add($"The weights are PaddlePaddle's ({PaddleWeights.FileName}); what is saved is a model of diffusers.");
        if (WithoutVariant() is { } file) notes.Add($"There are no weights of the variant \"{_options.Variant}\": {file} was taken.");
        return new ModelDetails
        {
            Path = Path,
            Format = Format,
            Version = version,
            VersionOrigin = _pipeline.IsXl ? "from model_index.json" : "from unet/config.json",
            Prediction = asked != ModelPrediction.Auto ? asked : stored,
            PredictionOrigin = asked != ModelPrediction.Auto ? "from the option Prediction" : "from scheduler/scheduler_config.json",
            InChannels = unet.InChannels,
            Notes = notes,
        };
    }

    /// <inheritdoc/>
    public override ModelPart Part(string name) => name switch
    {
        ModelPart.UNet => UNetPart(),
        ModelPart.Vae => VaePart(),
        _ => TextPart(name),
    };

    /// <inheritdoc/>
    public override ITextTokenizer ReadTokenizer(string textEncoder, string? folder)
    {
        var tokenizer = TextEncoderKind.Of(Config(textEncoder)).ReadTokenizer(folder ?? PlaceOf(TokenizerOf(textEncoder)));
        // The reference gives SDXL's second tokenizer its padding id afterwards, so that "!" is no special word, unlike SD 2's.
        return textEncoder == ModelPart.TextEncoder2 && tokenizer is ClipTokenizer clip ? clip.WithPadId(clip.PadId) : tokenizer;
    }

    /// <inheritdoc/>
    public override string PlaceOf(string part) => System.IO.Path.Combine(Path, part);

    /// <summary>The UNet's weights, where they are not of the variant that was asked for.</summary>
    private string? WithoutVariant()
    {
        if (_options.Variant is not { } variant || UNetFile is not { } file) return null;
        return System.IO.Path.GetFileName(file).Split('.').Contains(variant) ? null : System.IO.Path.GetFileName(file);
    }

    // Told by the UNet, the largest part; a folder may mix. Whoever wants a UNet that is missing is told so.
    private ModelFormat Format => UNetFile is { } file
        && WeightLocation.IsPickled(file) ? ModelFormat.Diffusers : ModelFormat.DiffusersSafetensors;

    private string? UNetFile
    {
        get
        {
            try
            {
                return WeightLocation.Find(PlaceOf(ModelPart.UNet), isText: false, _options.Variant);
            }
            catch (InvalidFileException)
            {
                return null;
            }
        }
    }

    private ModelPart UNetPart()
    {
        var options = ReadUNet();
        var file = WeightLocation.Find(PlaceOf(ModelPart.UNet), isText: false, _options.Variant);
        return new ModelPart(ModelPart.UNet, options, () => new UNet2DConditionModel(options), () =>
            WeightLocation.Open(file), WeightNames.UNet);
    }

    private ModelPart VaePart()
    {
        RequireClass(ModelPart.Vae, VaeClass);
        var options = ArchitectureReader.Vae(Config(ModelPart.Vae));
        var file = WeightLocation.Find(PlaceOf(ModelPart.Vae), isText: false, _options.Variant);
        return new ModelPart(ModelPart.Vae, options, () => new AutoencoderKL(options), () => WeightLocation.Open(file), WeightNames.Vae);
    }

    private ModelPart TextPart(string name)
    {
        var config = Config(name);
        var text = TextEncoderKind.Of(config).Read(config);
        var file = WeightLocation.Find(PlaceOf(name), isText: true, _options.Variant);
        return new ModelPart(name, text, text.Build, () => WeightLocation.Open(file), text.Rename);
    }

    private ConfigFile Config(string part, string file = "config.json")
    {
        var folder = PlaceOf(part);
        var path = System.IO.Path.Combine(folder, file);
        // PaddleNLP's first versions have another name and form.
        if (file == "config.json" && !File.Exists(path) && System.IO.Path.Combine(folder, PaddleConfig.FileName) is var old
            && File.Exists(old)) return PaddleConfig.Read(old);
        if (Directory.Exists(folder)) return new ConfigFile(path);
        throw new InvalidFileException(
            folder, "the folder is missing.", $"The model needs its part \"{part}\"; take it from the model's repository.");
    }

    private void RequireClass(string part, string expected)
    {
        if (_index.Part(part) is { } found && found.Class != expected)
            throw new InvalidFileException(
                _index.Path, $"the part \"{part}\" is a {found.Class}, not a {expected}.", "Use a Stable Diffusion model: 1.x, 2.x or XL.");
    }

    /// <summary>What a folder without an index could be meant to be.</summary>
    private static string WhatElse(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, "config.json"))) return " It holds a config.json, as one part of a model does.";
        var files = Directory.EnumerateFiles(path).Select(file => System.IO.Path.GetFileName(file)!)
            .Where(name => System.IO.Path.GetExtension(name).ToUpperInvariant() is ".SAFETENSORS" or ".CKPT" or ".PT")
                .Order(StringComparer.Ordinal).Take(3).ToArray();
        return files.Length == 0 ? "" : $" It holds {string.Join(", ", files)}.";
    }
}
