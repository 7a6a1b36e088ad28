using StableTune.Formats;

namespace StableTune.Adapters;

/// <summary>
/// A hypernetwork as AUTOMATIC1111's web UI has it: for each width of the attentions' inputs one small module in front of all keys, and
/// one in front of all values: x + m · MLP(x). Attached, trained, saved and taken off like a network of adapters; its modules are shared
/// by all layers of their width, so there is nothing that could be merged.
/// </summary>
public sealed class Hypernetwork : IDisposable
{
    private readonly SortedDictionary<long, (HypernetworkModule Keys, HypernetworkModule Values)> _modules = [];
    private readonly List<(nn.Module<Tensor, Tensor> Layer, bool IsKey, long Width)> _layers = [];
    private readonly List<IDisposable> _wraps = [];

    private Hypernetwork(HypernetworkOptions options) => Options = options;

    /// <summary>Name, structure and activation.</summary>
    public HypernetworkOptions Options { get; }

    /// <summary>How strongly it acts: 1 in training, 0 switches it off.</summary>
    public float Multiplier { get; set; } = 1;

    /// <summary>Steps it was trained for (<c>step</c> in files).</summary>
    public long Step { get; set; }

    /// <summary>Whether it takes part in the model's computation.</summary>
    public bool IsAttached => _wraps.Count > 0;

    /// <summary>The widths that have modules.</summary>
    public IReadOnlyList<long> Widths => [.. _modules.Keys];

    /// <summary>Creates a hypernetwork and attaches it to a UNet's attentions. It starts almost without effect: weights of 0.01.</summary>
    /// <param name="hosts">The model; its text encoders are left alone.</param>
    /// <param name="options">Structure and widths.</param>
    /// <param name="random">What initial weights are drawn from.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the model has no attention of such a width.</exception>
    public static Hypernetwork Attach(AdapterHosts hosts, HypernetworkOptions options, Generator random)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var network = new Hypernetwork(options);
        var found = Find(hosts);
        var widths = found.Select(layer => layer.Shape.InFeatures).Distinct()
            .Where(width => options.Widths.Count == 0 || options.Widths.Contains((int)width)).ToList();
        if (widths.Count == 0)
            throw new InvalidOptionsException([new($"{nameof(HypernetworkOptions)}.{nameof(options.Widths)}",
                string.Join(", ", options.Widths), "the model has no attention of such a width",
                $"it has {string.Join(", ", found.Select(layer => layer.Shape.InFeatures).Distinct().Order())}")]);
        var device = found[0].Weight.device;
        foreach (var width in widths.Order())
        {
            var plan = HypernetworkModule.Plan(width, options);
            var (keys, values) = (network.New(plan, device), network.New(plan, device));
            keys.Draw(random);
            values.Draw(random);
            network._modules.Add(width, (keys, values));
        }

        network.Take(found);
        network.Reattach();
        return network;
    }

    /// <summary>Reads a hypernetwork and attaches it. Widths that the model has not are kept, and do nothing, as in the web UI.</summary>
    /// <param name="path">A <c>.pt</c> file of AUTOMATIC1111's web UI.</param>
    /// <param name="hosts">The model.</param>
    /// <param name="multiplier">How strongly it acts.</param>
    /// <exception cref="InvalidFileException">It is no hypernetwork, or broken, or has no width of this model.</exception>
    public static Hypernetwork FromFile(string path, AdapterHosts hosts, float multiplier = 1f)
    {
        var found = Find(hosts);
        var contents = HypernetworkFile.Read(path);
        var network = new Hypernetwork(contents.Options) { Multiplier = multiplier, Step = contents.Step };
        try
        {
            foreach (var (width, (keys, values)) in contents.Modules)
            {
                var pair = (network.New(keys.Layers, found[0].Weight.device), network.New(values.Layers, found[0].Weight.device));
                network._modules.Add(width, pair);
                keys.FillInto(pair.Item1);
                values.FillInto(pair.Item2);
            }

            network.Take(found);
            if (network._layers.Count == 0)
                throw new InvalidFileException(path, $"the hypernetwork is for widths {string.Join(", ", network.Widths)}, of which " +
                    $"this model has none ({string.Join(", ", found.Select(layer => layer.Shape.InFeatures).Distinct().Order())}).",
                    "It was made for another kind of model.");
            network.Reattach();
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
        finally
        {
            contents.Dispose();
        }
    }

    /// <summary>What is trained, under names like <c>768.k.linear.0.weight</c>.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> NamedParameters() =>
        from entry in _modules
        from side in new[] { ("k", entry.Value.Keys), ("v", entry.Value.Values) }
        from parameter in side.Item2.named_parameters()
        select ($"{entry.Key}.{side.Item1}.{parameter.name}", parameter.parameter);

    /// <summary>Writes the file that the web UI reads, complete or not at all.</summary>
    /// <param name="path">The file, customarily <c>.pt</c>.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        HypernetworkFile.Prepare(path, Options, Step, _modules, null)!();
    }

    /// <summary>Copies what <see cref="Save"/> would write now, so that it can be written while training goes on.</summary>
    /// <param name="path">The file, customarily <c>.pt</c>.</param>
    /// <param name="copies">Takes the copies.</param>
    /// <returns>Writes the file, on any thread; null where the copies would take too much memory.</returns>
    public Action? PrepareSave(string path, PayloadCopies copies)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(copies);
        return HypernetworkFile.Prepare(path, Options, Step, _modules, copies);
    }

    /// <summary>Takes it off the model; it keeps its weights. Does nothing the second time.</summary>
    public void Detach()
    {
        _wraps.ForEach(wrap => wrap.Dispose());
        _wraps.Clear();
    }

    /// <summary>Puts it onto the model again. Does nothing where it is attached.</summary>
    public void Reattach()
    {
        if (IsAttached) return;
        foreach (var (layer, isKey, width) in _layers)
        {
            var module = isKey ? _modules[width].Keys : _modules[width].Values;
            _wraps.Add(layer.Wrap((input, original) =>
            {
                if (Multiplier == 0) return original(input);
                using var scope = NewDisposeScope();
                return original(module.Run(input, Multiplier)).MoveToOuterDisposeScope();
            }));
        }
    }

    /// <summary>Takes it off the model and frees its weights.</summary>
    public void Dispose()
    {
        Detach();
        foreach (var (keys, values) in _modules.Values)
        {
            keys.Dispose();
            values.Dispose();
        }

        _modules.Clear();
    }

    private HypernetworkModule New(IReadOnlyList<HypernetworkLayer> layers, Device device) =>
        new(layers, Options.Activation, Options.ActivateOutput, device);

    private void Take(IEnumerable<AdaptedLayer> found) => _layers.AddRange(
        found.Where(layer => _modules.ContainsKey(layer.Shape.InFeatures))
            .Select(layer => (layer.Module, layer.Path.EndsWith(".to_k", StringComparison.Ordinal), layer.Shape.InFeatures)));

    /// <summary>Keys and values of the UNet's attentions.</summary>
    private static List<AdaptedLayer> Find(AdapterHosts hosts)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        var options = new LoRAOptions
        {
            Parts = AdapterParts.UNet, Layers = LayerSelection.SdScripts with { Include = [@"\.attn[12]\.to_[kv]$"] },
        };
        return [.. LayerSearch.Selected(hosts, options)];
    }
}
