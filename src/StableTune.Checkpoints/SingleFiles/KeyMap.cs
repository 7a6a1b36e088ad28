using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// The names and shapes of one part of a model in single-file checkpoints (LDM, CompVis, Stability) and in diffusers: a two-way map,
/// derived from the part's architecture. See <c>docs/checkpoints.md</c>.
/// </summary>
public sealed class KeyMap
{
    /// <summary>Where the UNet lies in a checkpoint.</summary>
    public const string UNetPrefix = "model.diffusion_model.";

    /// <summary>Where the VAE lies in a checkpoint; files that hold nothing but a VAE have no prefix.</summary>
    public const string VaePrefix = "first_stage_model.";

    /// <summary>Where the text encoder of SD 1.x lies.</summary>
    public const string Sd1TextPrefix = "cond_stage_model.transformer.";

    /// <summary>Where the text encoder of SD 2.x lies.</summary>
    public const string Sd2TextPrefix = "cond_stage_model.model.";

    /// <summary>Where the first text encoder of SDXL lies.</summary>
    public const string SdxlTextPrefix = "conditioner.embedders.0.transformer.";

    /// <summary>Where the second text encoder of SDXL lies.</summary>
    public const string SdxlText2Prefix = "conditioner.embedders.1.model.";

    private readonly Dictionary<string, List<LayoutRow>> _byFile = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LayoutRow> _byModule = new(StringComparer.Ordinal);
    private string[] _unused = [], _unusedInModule = [];

    private KeyMap(string prefix, IEnumerable<LayoutRow> rows)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        Prefix = prefix;
        Rows = [.. rows.Select(row => row with { File = prefix + row.File })];
        foreach (var row in Rows)
        {
            if (row.Use != LayoutUse.Writing)
            {
                if (!_byFile.TryGetValue(row.File, out var same)) _byFile.Add(row.File, same = []);
                same.Add(row);
            }

            if (row.Use != LayoutUse.Reading) _byModule.Add(row.Module, row);
        }
    }

    /// <summary>What all names of the part begin with in the file.</summary>
    public string Prefix { get; }

    /// <summary>The map as a table, names in the file with their prefix.</summary>
    public IReadOnlyList<LayoutRow> Rows { get; }

    /// <summary>What checkpoints hold beyond the module's tensors.</summary>
    internal IReadOnlyList<CheckpointFiller> Fillers { get; private init; } = [];

    /// <summary>The UNet.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="prefix">What names begin with in the file.</param>
    public static KeyMap UNet(UNetOptions options, string prefix = UNetPrefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new KeyMap(prefix, UNetRows.For(options));
    }

    /// <summary>A ControlNet: the UNet's way down and middle, and the layers of its own.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="prefix">What names begin with in the file.</param>
    public static KeyMap ControlNet(ControlNetModelOptions options, string prefix = ControlNetNames.LdmPrefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new KeyMap(prefix, ControlNetRows.For(options));
    }

    /// <summary>The VAE.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="prefix">What names begin with in the file; empty for files that hold nothing but a VAE.</param>
    public static KeyMap Vae(VaeOptions options, string prefix = VaePrefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new KeyMap(prefix, VaeRows.For(options));
    }

    /// <summary>A VAE's file under diffusers' names of today or before.</summary>
    internal static KeyMap DiffusersVae() => new("", VaeRows.Diffusers());

    /// <summary>A CLIP text encoder under transformers' names: SD 1.x, and SDXL's first.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="prefix">What names begin with in the file.</param>
    public static KeyMap ClipText(ClipTextOptions options, string prefix = Sd1TextPrefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new KeyMap(prefix, TextRows.Clip()) { _unused = TextRows.ClipUnused, _unusedInModule = TextRows.UnusedInModule(options),
            Fillers = [CheckpointFillers.PositionIds(options.MaxPositions)] };
    }

    /// <summary>An OpenCLIP text encoder: SD 2.x, whose last layer is not used, and SDXL's second, which has a projection.</summary>
    /// <param name="options">The architecture; with <see cref="ClipTextOptions.ProjectionDim"/> it is SDXL's.</param>
    /// <param name="prefix">What names begin with in the file.</param>
    public static KeyMap OpenClipText(ClipTextOptions options, string prefix = Sd2TextPrefix)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new KeyMap(prefix, TextRows.OpenClip(options))
        {
            _unused = TextRows.OpenClipUnused(options),
            _unusedInModule = TextRows.UnusedInModule(options),
            Fillers = options.ProjectionDim is not null
                ? [CheckpointFillers.LogitScale]
                : [CheckpointFillers.UnusedLayer(options.Layers), CheckpointFillers.Projection(options.HiddenSize),
                    CheckpointFillers.LogitScale],
        };
    }

    /// <summary>The names in the module of a tensor of the file.</summary>
    /// <param name="name">The name in the file, with its prefix.</param>
    /// <returns>One name; three for a joint projection of queries, keys and values; none where the part has no such tensor.</returns>
    public IReadOnlyList<LayoutName> FromFile(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
            if (_byFile.TryGetValue(name[..end], out var rows))
                return [.. rows.Select(row => new LayoutName(row.Module + name[end..], row.Form))];
        return [];
    }

    /// <summary>The name in the file of a tensor of the module.</summary>
    /// <param name="name">The name in the module; older names of diffusers and transformers are known.</param>
    /// <returns>The name with its prefix; null where checkpoints have no such tensor.</returns>
    public LayoutName? ToFile(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
            if (_byModule.TryGetValue(name[..end], out var row)) return new LayoutName(row.File + name[end..], row.Form);
        return null;
    }

    /// <summary>Whether the file holds this tensor by custom while the module has no use for it, as the last layer of SD 2.x's text
    /// encoder.</summary>
    /// <param name="name">The name in the file, with its prefix.</param>
    public bool IsUnused(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var inside = name.AsSpan(Prefix.Length);
        foreach (var unused in _unused)
            if (inside.StartsWith(unused, StringComparison.Ordinal) && (inside.Length == unused.Length || inside[unused.Length] == '.'))
                return true;
        return false;
    }

    /// <summary>Whether single-file checkpoints have no use for this tensor of a diffusers file, or hold their own.</summary>
    /// <param name="name">The name in the module.</param>
    internal bool IsUnusedInModule(string name) => _unusedInModule.Contains(name);

    /// <summary>The file's tensors for a module's, written as they are read: joined, transposed, with what files hold by custom.</summary>
    /// <param name="module">The module's tensors, under diffusers' names of today or before.</param>
    /// <param name="present">Whether the file gets a tensor of this name from elsewhere, as from the file the model came from; null for
    /// none.</param>
    /// <returns>Tensors under their names in the file.</returns>
    /// <exception cref="ArgumentException">A tensor has no place in a checkpoint, or does not fit its companions.</exception>
    public IReadOnlyList<TensorPayload> ToCheckpoint(IEnumerable<TensorPayload> module, Func<string, bool>? present = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        return CheckpointPayloads.ToFile(this, module, present ?? (_ => false));
    }
}
