using System.Globalization;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>The parts of a model that are asked for, read from configurations and headers, with everything that is wrong with them. Owns
/// the source.</summary>
internal sealed class ModelDescription : IDisposable
{
    private const string OneModel = "Take all parts from one model.";

    private readonly ModelSource _source;
    private readonly ModelLoadOptions _options;
    private readonly List<InvalidFileException> _faults = [];
    private readonly List<ModelPart> _parts = [];
    private ModelParts _included;
    private UNetOptions? _unet;
    private ModelDetails? _details;

    private ModelDescription(ModelSource source, ModelLoadOptions options) => (_source, _options) = (source, options);

    /// <summary>Everything that is wrong, in the order of the parts.</summary>
    public IReadOnlyList<InvalidFileException> Faults => _faults;

    /// <summary>The parts asked for that could be read.</summary>
    public IReadOnlyList<ModelPart> Parts => _parts;

    /// <summary>The tokenizer; null when not asked for, or faulty.</summary>
    public ITextTokenizer? Tokenizer { get; private set; }

    /// <summary>The second text encoder's tokenizer; null when there is none, it was not asked for, or is faulty.</summary>
    public ITextTokenizer? Tokenizer2 { get; private set; }

    /// <summary>Noise schedule and prediction type; SD 1.x's when faulty.</summary>
    public SchedulerOptions Scheduler { get; private set; } = SchedulerOptions.Sd15;

    /// <summary>What the model is; null when that could not be told, which is a fault then.</summary>
    public ModelDetails? Details => _details;

    /// <summary>The UNet's architecture, whether it was asked for or not; null when it cannot be read.</summary>
    public UNetOptions? UNet => _unet;

    /// <summary>Reads the configurations of the parts; what is wrong is collected in <see cref="Faults"/>.</summary>
    /// <param name="source">The model; this object's from now on, also when this throws.</param>
    /// <param name="options">Parts and what else is asked for.</param>
    /// <param name="cancellationToken">Ends the download of another VAE.</param>
    public static ModelDescription Read(ModelSource source, ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        var description = new ModelDescription(source, options);
        try
        {
            description.Read();
            description.Include(options.Parts, cancellationToken);
            return description;
        }
        catch
        {
            description.Dispose();
            throw;
        }
    }

    /// <summary>Compares each part with the names and shapes in the header of its weights; adds to <see cref="Faults"/>. Reads no
    /// weights.</summary>
    /// <param name="parts">The parts to look at.</param>
    public void CheckHeaders(ModelParts parts = ModelParts.All)
    {
        ModelPart[] asked = [.. _parts.Where(part => parts.HasFlag(part.Flag))];
        foreach (var part in asked) Attempt(part.CheckHeader);
        if (_details is null || _faults.Count > 0) return;
        if (_options.VaePath is { } vae && $"The VAE is that of {vae}." is var note && !_details.Notes.Contains(note))
            _details = _details with { Notes = [.. _details.Notes, note] };
        _details = _details with { StoredTypes = asked.ToDictionary(part => part.Name, part => part.StoredTypes, StringComparer.Ordinal) };
    }

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (var part in _parts) part.Dispose();
        _source.Dispose();
    }

    /// <summary>Reads the configurations of further parts; what was read before is not read again.</summary>
    /// <param name="parts">What is asked for now.</param>
    /// <param name="cancellationToken">Ends the download of another VAE.</param>
    public void Include(ModelParts parts, CancellationToken cancellationToken = default)
    {
        var missing = parts & ~_included;
        _included |= parts;
        // A UNet that cannot be read has been told already.
        if (missing.HasFlag(ModelParts.UNet) && _unet is not null) Add(ModelPart.UNet);
        if (missing.HasFlag(ModelParts.Vae)) AddVae(cancellationToken);
        if (missing.HasFlag(ModelParts.TextEncoder))
        {
            Add(ModelPart.TextEncoder);
            Attempt(() => Tokenizer = ReadTokenizer(ModelPart.TextEncoder));
            if (_unet is { TakesAddedConditions: true })
            {
                Add(ModelPart.TextEncoder2);
                Attempt(() => Tokenizer2 = ReadTokenizer(ModelPart.TextEncoder2));
            }
        }

        if (missing != ModelParts.None) CheckTogether();
    }

    private void Read()
    {
        Attempt(() => Scheduler = _source.ReadScheduler());
        if (_source.Known is { Scheduler: { } sampler }) Scheduler = Scheduler with { ClassName = sampler };
        // The UNet's configuration is read in any case: it tells which model this is.
        Attempt(() => _unet = _source.ReadUNet());
        if (_unet is not null) Attempt(() => _details = _source.Identify(_unet, Scheduler));
        if (_details is not null) Scheduler = Scheduler with { Prediction = _details.Prediction };
    }

    private void Add(string name) => Attempt(() => _parts.Add(_source.Part(name)));

    private void AddVae(CancellationToken cancellationToken)
    {
        if (_options.VaePath is not { } name) Add(ModelPart.Vae);
        else Attempt(() => _parts.Add(ReplacementVae.Open(
            ModelLocation.ResolveVae(name, _options, cancellationToken), _details?.Version ?? ModelVersion.Sd1, _options)));
    }

    private ITextTokenizer ReadTokenizer(string textEncoder)
    {
        if (_options.TokenizerPath is not { } name) return _source.ReadTokenizer(textEncoder, null);
        var path = TokenizerLocation.Resolve(name, _options);
        // The folder of one tokenizer, or of a model, which has one for each encoder.
        var own = Path.Combine(path, ModelSource.TokenizerOf(textEncoder));
        return _source.ReadTokenizer(textEncoder, Directory.Exists(own) ? own : path);
    }

    private T? Architecture<T>(string part) where T : class => _parts.Find(candidate => candidate.Name == part)?.Architecture as T;

    /// <summary>Rules that span parts.</summary>
    private void CheckTogether()
    {
        if (_unet is { } unet && Architecture<VaeOptions>(ModelPart.Vae) is { } vae) CheckChannels(unet, vae);
        CheckText();
        CheckTokens(ModelPart.TextEncoder, Tokenizer);
        CheckTokens(ModelPart.TextEncoder2, Tokenizer2);
    }

    private void CheckChannels(UNetOptions unet, VaeOptions vae)
    {
        // Noisy latents; with a depth map; with another image's latents; with these and a mask.
        var latent = vae.LatentChannels;
        if (unet.OutChannels == latent && (
            unet.InChannels == latent || unet.InChannels == latent + 1 || unet.InChannels == 2 * latent
            || unet.InChannels == 2 * latent + 1)) return;
        var fault = $"the UNet takes {unet.InChannels} channels and gives {unet.OutChannels}, the VAE's latents have {latent}.";
        if (_options.VaePath is { } path)
            Add(new InvalidFileException(path, fault, "Give a VAE that was made for such models as VaePath, or none."));
        else Fault(ModelPart.UNet, fault, OneModel);
    }

    private void CheckText()
    {
        if (_unet is not { } unet || Architecture<TextArchitecture>(ModelPart.TextEncoder) is not { } text) return;
        var second = Architecture<TextArchitecture>(ModelPart.TextEncoder2);
        var width = text.Width + (second?.Width ?? 0);
        if (unet.CrossAttentionDim != width && (second is not null || !unet.TakesAddedConditions))
            Fault(ModelPart.UNet, $"the UNet attends to text of width {unet.CrossAttentionDim}, the text encoder's is {width}.", OneModel);
        if (second is null) return;
        if (second.ProjectionDim == unet.PooledWidth) return;
        Fault(
            ModelPart.TextEncoder2,
            $"the second text encoder's pooled output is "
                + $"{second.ProjectionDim?.ToString(CultureInfo.InvariantCulture) ?? "not projected"}, the UNet takes {unet.PooledWidth}.",
            OneModel);
    }

    private void CheckTokens(string part, ITextTokenizer? tokenizer)
    {
        if (Architecture<TextArchitecture>(part) is not { } text) return;
        if (tokenizer is not null && tokenizer.LargestId >= text.VocabularySize)
            Add(new InvalidFileException(
                _options.TokenizerPath ?? _source.PlaceOf(ModelSource.TokenizerOf(part)),
                $"the tokenizer has ids up to {tokenizer.LargestId}, the text encoder embeddings for {text.VocabularySize}.",
                _source is SingleFileModel ? "Give the model's own tokenizer as TokenizerPath." : OneModel));
        if (text.MaxPositions < ClipTokenizer.ChunkLength)
            Fault(part, $"the text encoder takes {text.MaxPositions} tokens, prompts have {ClipTokenizer.ChunkLength}.",
                "Use a model whose text encoder takes that many.");
    }

    private void Fault(string part, string fault, string remedy) =>
        Add(new InvalidFileException(_source.PlaceOf(part), fault, remedy));

    /// <summary>Tells a fault once: a part and its tokenizer fail for the same reason where the part's folder is missing.</summary>
    private void Add(InvalidFileException fault)
    {
        if (_faults.TrueForAll(known => known.Message != fault.Message)) _faults.Add(fault);
    }

    private void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (InvalidFileException e)
        {
            Add(e);
        }
    }
}
