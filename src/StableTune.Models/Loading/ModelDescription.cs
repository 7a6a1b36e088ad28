using System.Globalization;
using StableTune.Weights;

namespace StableTune.Models;

/// <summary>One part of a model: how to build it, and which file its weights are in.</summary>
/// <param name="Part">Which part.</param>
/// <param name="Name">Its folder, which tells SDXL's two text encoders apart.</param>
/// <param name="File">The weights file.</param>
/// <param name="Build">Makes the module; the caller owns it.</param>
/// <param name="Rename">The module's name for a name of the file; null to pass over it.</param>
internal sealed record PartDescription(ModelParts Part, string Name, string File, Func<nn.Module> Build, Func<string, string?> Rename);

/// <summary>What a model folder says of a model, read from configurations, before any weights.</summary>
internal sealed class ModelDescription
{
    private readonly ModelFolder _folder;
    private readonly string? _variant;
    private readonly List<InvalidFileException> _faults = [];
    private readonly List<PartDescription> _parts = [];
    private UNetOptions? _unet;
    private VaeOptions? _vae;
    private ClipTextOptions? _text, _text2;

    private ModelDescription(ModelFolder folder, string? variant) => (_folder, _variant) = (folder, variant);

    /// <summary>Everything that is wrong, in the order of the parts.</summary>
    public IReadOnlyList<InvalidFileException> Faults => _faults;

    /// <summary>The parts asked for that could be read.</summary>
    public IReadOnlyList<PartDescription> Parts => _parts;

    /// <summary>The tokenizer; null when not asked for, or faulty.</summary>
    public ClipTokenizer? Tokenizer { get; private set; }

    /// <summary>The second text encoder's tokenizer; null when there is none, it was not asked for, or is faulty.</summary>
    public ClipTokenizer? Tokenizer2 { get; private set; }

    /// <summary>Noise schedule and prediction type; SD 1.x's when faulty.</summary>
    public SchedulerOptions Scheduler { get; private set; } = SchedulerOptions.Sd15;

    /// <summary>See <see cref="StableDiffusionModel.BaseModelVersion"/>.</summary>
    public string BaseModelVersion
    {
        get
        {
            if (_unet is { TakesAddedConditions: true }) return "sdxl_base_v1-0";
            // Only SD 2 has linear projections; the widths that also tell them apart differ in small models.
            if (_unet is not { UseLinearProjection: true }) return "sd_v1";
            return Scheduler.PredictionType == "v_prediction" ? "sd_v2_v" : "sd_v2";
        }
    }

    /// <summary>Reads the configurations of the parts; what is wrong is collected in <see cref="Faults"/>.</summary>
    /// <exception cref="InvalidFileException">The folder is no model that this version knows.</exception>
    public static ModelDescription Read(string path, ModelParts parts, string? variant)
    {
        var description = new ModelDescription(ModelFolder.Open(path), variant);
        description.Attempt(() => description.Scheduler = ArchitectureReader.Scheduler(description._folder.Config("scheduler", "scheduler_config.json")));
        // The UNet's configuration is read in any case: it tells which model this is.
        description.Attempt(() => description._unet = ArchitectureReader.UNet(description._folder.Config("unet")));
        if (parts.HasFlag(ModelParts.UNet)) description.Attempt(description.AddUNet);
        if (parts.HasFlag(ModelParts.Vae)) description.Attempt(description.AddVae);
        if (parts.HasFlag(ModelParts.TextEncoder)) description.AddTextEncoders();
        description.CheckTogether();
        return description;
    }

    /// <summary>Compares each part with the names and shapes in the header of its weights file; adds to <see cref="Faults"/>. Reads no weights.</summary>
    public void CheckHeaders()
    {
        foreach (var part in _parts)
        {
            Attempt(() =>
            {
                using var file = WeightFile.Open(part.File);
                using var scope = NewDisposeScope();
                using var skip = engine.skip_init();   // allocated, but never touched: the system gives no memory for it
                using var module = part.Build();
                ModuleWeights.Compare(module, file, part.Rename).ThrowIfIncomplete();
            });
        }
    }

    private void AddUNet()
    {
        if (_unet is not { } options) return;   // reported already
        _parts.Add(new PartDescription(ModelParts.UNet, "unet", _folder.WeightsFile("unet", "diffusion_pytorch_model", _variant), () => new UNet2DConditionModel(options), WeightNames.UNet));
    }

    private void AddVae()
    {
        var options = _vae = ArchitectureReader.Vae(_folder.Config("vae"));
        _parts.Add(new PartDescription(ModelParts.Vae, "vae", _folder.WeightsFile("vae", "diffusion_pytorch_model", _variant), () => new AutoencoderKL(options), WeightNames.Vae));
    }

    private void AddTextEncoders()
    {
        Attempt(() => _text = AddTextEncoder("text_encoder"));
        Attempt(() => Tokenizer = ClipTokenizer.FromFolder(Path.Combine(_folder.Path, "tokenizer")));
        if (_unet is not { TakesAddedConditions: true }) return;
        Attempt(() => _text2 = AddTextEncoder("text_encoder_2"));
        Attempt(() =>
        {
            var tokenizer = ClipTokenizer.FromFolder(Path.Combine(_folder.Path, "tokenizer_2"));
            // The reference gives SDXL's second tokenizer its padding id afterwards, so that "!" is no special word, unlike SD 2's.
            Tokenizer2 = tokenizer.WithPadId(tokenizer.PadId);
        });
    }

    private ClipTextOptions AddTextEncoder(string name)
    {
        var options = ArchitectureReader.ClipText(_folder.Config(name));
        _parts.Add(new PartDescription(
            ModelParts.TextEncoder, name, _folder.WeightsFile(name, "model", _variant), () => new ClipTextModel(options),
            tensor => WeightNames.ClipText(tensor, options.ProjectionDim is not null)));
        return options;
    }

    /// <summary>Rules that span parts.</summary>
    private void CheckTogether()
    {
        if (_unet is { } any && any.TakesAddedConditions != _folder.IsXl)
            Fault(
                "model_index.json", $"the model is a {_folder.Pipeline}, but its UNet takes {(any.TakesAddedConditions ? "" : "no ")}pooled text and sizes.",
                "Take all parts from one model.");
        if (_unet is { } unet && _vae is { } vae && unet.InChannels != vae.LatentChannels)
            Fault(
                "unet", $"the UNet takes {unet.InChannels} channels, the VAE's latents have {vae.LatentChannels}.",
                "Models for inpainting or depth are not supported by this version; otherwise take all parts from one model.");
        CheckText();
        CheckTokens("text_encoder", _text, "tokenizer", Tokenizer);
        CheckTokens("text_encoder_2", _text2, "tokenizer_2", Tokenizer2);
    }

    private void CheckText()
    {
        if (_unet is not { } unet || _text is not { } text) return;
        var width = text.HiddenSize + (_text2?.HiddenSize ?? 0);
        if (unet.CrossAttentionDim != width && (_text2 is not null || !unet.TakesAddedConditions))
            Fault(
                "unet", $"the UNet attends to text of width {unet.CrossAttentionDim}, the text encoder's is {width}.",
                "Take all parts from one model.");
        if (_text2 is not { } second) return;
        var pooled = unet.ProjectionClassEmbeddingsInputDim - 6 * unet.AdditionTimeEmbedDim;
        if (second.ProjectionDim != pooled)
            Fault(
                "text_encoder_2", $"the second text encoder's pooled output is {second.ProjectionDim?.ToString(CultureInfo.InvariantCulture) ?? "not projected"}, the UNet takes {pooled}.",
                "Take all parts from one model.");
    }

    private void CheckTokens(string textPart, ClipTextOptions? text, string tokenizerPart, ClipTokenizer? tokenizer)
    {
        if (text is { } encoder && tokenizer is not null && tokenizer.LargestId >= encoder.VocabularySize)
            Fault(
                tokenizerPart,
                $"the tokenizer has ids up to {tokenizer.LargestId}, the text encoder embeddings for {encoder.VocabularySize}.",
                "Take all parts from one model.");
        if (text is { MaxPositions: < ClipTokenizer.ChunkLength } small)
            Fault(
                textPart, $"the text encoder takes {small.MaxPositions} tokens, prompts have {ClipTokenizer.ChunkLength}.",
                "Use a model with a CLIP text encoder.");
    }

    private void Fault(
        string part, string fault, string remedy) => _faults.Add(new InvalidFileException(Path.Combine(_folder.Path, part), fault, remedy));

    private void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (InvalidFileException e)
        {
            _faults.Add(e);
        }
    }
}
