using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>Finds out step by step what a checkpoint is.</summary>
internal sealed class CheckpointReader(ITensorFile file, SingleFileOptions options)
{
    private readonly CheckpointKeys _unetKeys = new(file, KeyMap.UNetPrefix);
    private readonly CheckpointConfiguration _configuration = new(options);
    private readonly EmaNames _ema = new(file);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<KeyMap> _layouts = [];
    private readonly OrderedDictionary<string, IReadOnlyList<TensorDType>> _types = new(StringComparer.Ordinal);
    private readonly List<string> _notes = [];
    private (ModelVersion Version, string Origin) _version;
    private (ModelPrediction Prediction, string Origin) _prediction;
    private SidecarYaml? _yaml;
    private int _averages;

    public CheckpointPart<UNetOptions> UNet { get; private set; } = null!;

    public CheckpointPart<VaeOptions>? Vae { get; private set; }

    public CheckpointPart<ClipTextOptions>? TextEncoder { get; private set; }

    public CheckpointPart<ClipTextOptions>? TextEncoder2 { get; private set; }

    public SchedulerOptions Scheduler { get; private set; } = null!;

    /// <summary>Finds out everything.</summary>
    /// <exception cref="InvalidFileException">The file is of another kind, incomplete, or does not tell what it is.</exception>
    public void Read()
    {
        ForeignFile.ThrowIfOtherFamily(file);
        if (!_unetKeys.Has("input_blocks.0.0.weight")) throw ForeignFile.Describe(file);
        _version = CheckpointVersion.Find(file, _unetKeys, options.Version);
        if ((options.YamlPath ?? SidecarYaml.Beside(file.Path)) is { } yaml) ReadYaml(yaml);
        ReadTextEncoders();
        ReadUNet();
        ReadVae();
        NoteWhatIsLeftOut();
    }

    /// <summary>What was found out.</summary>
    public ModelDetails Details() => new()
    {
        Path = file.Path,
        Format = file is SafetensorsFile ? ModelFormat.Safetensors : ModelFormat.Ckpt,
        Version = _version.Version,
        VersionOrigin = _version.Origin,
        Prediction = _prediction.Prediction,
        PredictionOrigin = _prediction.Origin,
        InChannels = UNet.Options.InChannels,
        StoredTypes = _types,
        Notes = _notes,
    };

    /// <summary>See <see cref="SingleFileCheckpoint.Carried"/>.</summary>
    public IReadOnlyList<TensorInfo> Carried() =>
    [
        .. file.Tensors.Where(tensor =>
            !_used.Contains(tensor.Name) && !EmaNames.Is(tensor.Name)
            && !tensor.Name.EndsWith("embeddings.position_ids", StringComparison.Ordinal)),
    ];

    private void ReadYaml(string path)
    {
        _yaml = SidecarYaml.Read(path);
        var width = _unetKeys.Size("middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1);
        if (_yaml.ContextWidth is { } expected && expected != width)
            throw new InvalidFileException(
                path, $"'context_dim' is {expected}, but the UNet's context in {file.Path} is {width} wide.",
                    "The two do not belong together: give the model's own .yaml, or remove this one.");
    }

    private void ReadTextEncoders()
    {
        var (first, second) = _version.Version switch
        {
            ModelVersion.Sd1 => (KeyMap.Sd1TextPrefix, null),
            ModelVersion.Sd2 => (KeyMap.Sd2TextPrefix, null),
            _ => (KeyMap.SdxlTextPrefix, (string?)KeyMap.SdxlText2Prefix),
        };
        var isOpen = _version.Version == ModelVersion.Sd2;
        if (Keys(first) is { } keys)
        {
            var found = Checked(_configuration.TextEncoder
                ?? (isOpen ? TextShapes.OpenClip(keys, projected: false) : TextShapes.Clip(keys)));
            TextEncoder = Part("text_encoder", found, isOpen ? KeyMap.OpenClipText(found, first) : KeyMap.ClipText(found, first));
        }

        if (second is not null && Keys(second) is { } keys2)
        {
            var found = Checked(_configuration.TextEncoder2 ?? TextShapes.OpenClip(keys2, projected: true));
            TextEncoder2 = Part("text_encoder_2", found, KeyMap.OpenClipText(found, second));
        }

        if (TextEncoder is null || (second is not null && TextEncoder2 is null)) _notes.Add("The file lacks a text encoder.");
    }

    private void ReadUNet()
    {
        var found = _configuration.UNet ?? UNetShapes.Read(_unetKeys, _version.Version, _yaml, TextEncoder2?.Options.ProjectionDim);
        var evidence = new CheckpointPrediction.Evidence(file, _version.Version, found.InChannels, _yaml, _configuration.Scheduler);
        _prediction = CheckpointPrediction.Find(evidence, options.Prediction);
        Scheduler = CheckpointPrediction.Schedule(evidence, _prediction.Prediction);
        if (_configuration.UNet is null) found = found with
        {
            SampleSize = _version.Version switch
            {
                ModelVersion.Sdxl => UNetOptions.Sdxl.SampleSize,
                ModelVersion.Sd2 when _prediction.Prediction == ModelPrediction.V => UNetOptions.Sd21.SampleSize,
                _ => UNetOptions.Sd15.SampleSize,
            },
            UpcastAttention = _version.Version == ModelVersion.Sd2 && _prediction.Prediction == ModelPrediction.V,
        };
        UNet = Part("unet", Checked(found), KeyMap.UNet(found));
    }

    private void ReadVae()
    {
        if (Keys(KeyMap.VaePrefix) is not { } keys)
        {
            _notes.Add("The file lacks a VAE.");
            return;
        }

        var found = Checked(_configuration.Vae ?? VaeShapes.Read(keys, VaeNames.Ldm, _version.Version, _yaml));
        Vae = Part("vae", found, KeyMap.Vae(found));
    }

    private CheckpointKeys? Keys(string prefix) => new CheckpointKeys(file, prefix) is { Any: true } keys ? keys : null;

    private CheckpointPart<TOptions> Part<TOptions>(string name, TOptions found, KeyMap layout) where TOptions : OptionsBase
    {
        var view = CheckpointView.Of(file, layout, Source, _used);
        _layouts.Add(layout);
        _types.Add(name, [.. view.Tensors.GroupBy(tensor => tensor.DType)
            .OrderByDescending(group => group.Sum(tensor => tensor.ElementCount)).Select(group => group.Key)]);
        return new CheckpointPart<TOptions>(found, layout, view);
    }

    private TensorInfo Source(TensorInfo weight)
    {
        if (options.Ema == EmaWeights.Ignore || _ema.Of(weight) is not { } average) return weight;
        _averages++;
        return average;
    }

    private TOptions Checked<TOptions>(TOptions found) where TOptions : OptionsBase
    {
        var problems = found.Validate().ToArray();
        if (problems.Length == 0) return found;
        throw new InvalidFileException(
            file.Path, $"its shapes make no model that could work: {string.Join(" ", problems.Select(problem => problem.ToString()))}",
            $"Tell heads and norm groups by the option {nameof(SingleFileOptions.ConfigurationPath)} or by a .yaml beside the file, or "
                + $"use another file if this one is damaged.");
    }

    private void NoteWhatIsLeftOut()
    {
        if (_ema.Count > 0 && options.Ema == EmaWeights.Ignore)
            _notes.Add($"{_ema.Count} tensors of averaged weights (model_ema) are left out; EmaWeights.Prefer takes them.");
        if (options.Ema == EmaWeights.Prefer)
        {
            var weights = file.Tensors.Count(tensor => tensor.Name.StartsWith(KeyMap.UNetPrefix, StringComparison.Ordinal));
            _notes.Add(_averages == 0 ? "The file has no averaged weights (model_ema); its plain weights are taken."
                : $"Averaged weights (model_ema) are taken for {_averages} of the UNet's {weights} tensors.");
        }

        var extra = file.Tensors.Select(tensor => tensor.Name)
            .Where(name => !_used.Contains(name) && !EmaNames.Is(name) && !CheckpointPrediction.Marks.Contains(name)
                && !_layouts.Exists(layout => layout.IsUnused(name))).ToList();
        if (extra.Count > 0)
            _notes.Add(
            $"{extra.Count} tensors belong to no part and are left out: "
                + $"{string.Join(", ", extra.Take(5).Select(name => $"'{name}'"))}{(extra.Count > 5 ? " and so on" : "")}.");
    }
}
