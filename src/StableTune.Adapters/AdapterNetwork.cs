using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>
/// Adapters on a model, usually all of one kind: put around its layers, trained, saved, loaded, merged, taken off again. The
/// model itself is not changed, and does not own the adapters. Several networks may be on one model, each with its own multiplier.
/// </summary>
public sealed class AdapterNetwork : IDisposable
{
    private readonly List<NetworkAdapter> _adapters = [];
    private readonly List<IDisposable> _wraps = [];
    private bool _isMerged;

    private AdapterNetwork() { }

    /// <summary>The adapters, in the order of creation: text encoders first, then the UNet, each in the reference's order.</summary>
    public IReadOnlyList<NetworkAdapter> Adapters => _adapters;

    /// <summary>What was found in the file that the adapters were loaded from last; null where they were not loaded.</summary>
    public AdapterFileReport? LoadedFrom { get; private set; }

    /// <summary>Whether the adapters take part in the model's computation.</summary>
    public bool IsAttached => _wraps.Count > 0;

    /// <summary>Whether training draws random numbers in the adapters, so that <see cref="BeginStep"/> must be called.</summary>
    public bool UsesRandomness => _adapters.Exists(adapter => adapter.UsesRandomness);

    /// <summary>
    /// The layers that options would adapt, in the order in which their adapters are created. Creates nothing and reads no weights: the
    /// model may be on <c>META</c>.
    /// </summary>
    /// <param name="hosts">The modules to attach to.</param>
    /// <param name="options">Kind, parts and layers.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or fit no layer of the model; the message says which, and names
    /// layers that are near.</exception>
    /// <exception cref="InvalidOperationException">Two layers would have the same name in files.</exception>
    public static IReadOnlyList<AdaptedLayer> Layers(AdapterHosts hosts, AdapterOptions options)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        ArgumentNullException.ThrowIfNull(options);
        return LayerSearch.Selected(hosts, options);
    }

    /// <summary>
    /// Creates an adapter for each layer that the options pick, and attaches it. The model's own weights are left as they are: freeze those
    /// that shall not be trained.
    /// </summary>
    /// <param name="hosts">The modules to attach to; parts that the options leave out are passed over.</param>
    /// <param name="options">Kind, parts and layers.</param>
    /// <param name="random">What initial values are drawn from, adapter by adapter in the order of creation.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or fit no layer of the model.</exception>
    /// <exception cref="InvalidOperationException">Two layers would have the same name in files.</exception>
    public static AdapterNetwork Attach(AdapterHosts hosts, AdapterOptions options, Generator random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var layers = Layers(hosts, options);
        return Create(layers.Select(layer => options.Create(layer, random)), _ => { });
    }

    /// <summary>
    /// Creates the adapters that a file holds, with its ranks and alphas, attaches them and loads their weights. Adapters for a part of the
    /// model that is not offered are left out; <see cref="LoadedFrom"/> tells which, and whose names the file has.
    /// </summary>
    /// <param name="path">An adapter file; it may mix kinds, and schemes of names.</param>
    /// <param name="hosts">The modules to attach to.</param>
    /// <param name="multiplier">How strongly they act.</param>
    /// <param name="formats">The kinds that it may hold; null for <see cref="AdapterFormats.Default"/>.</param>
    /// <param name="namings">The schemes of names that it may have; null for <see cref="AdapterNamings.Default"/>.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, of a kind that cannot be loaded, does not fit this
    /// model, or holds NaN or infinite numbers; the message lists the names.</exception>
    /// <exception cref="InvalidOperationException">Two layers of the model have the same name in files.</exception>
    public static AdapterNetwork FromFile(
        string path, AdapterHosts hosts, float multiplier = 1f, AdapterFormats? formats = null, AdapterNamings? namings = null)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        namings ??= AdapterNamings.Default;
        using var file = WeightFile.Open(path);
        var contents = AdapterFileContents.Read(
            file, kind => LayerSearch.Named(hosts, kind), formats ?? AdapterFormats.Default, namings);
        // Everything is overwritten by the file; the generator is there because creating asks for one.
        using var random = new Generator(0);
        return Create(contents.Adapters.Select(adapter => adapter.Options.Create(adapter.Layer, random)), network =>
        {
            network.SetMultiplier(multiplier);
            var loading = new AdapterFileLoading(file, network, namings);
            AdapterFileFaults.CheckShapes(loading.ReportOfLayers);
            loading.Load();
            network.LoadedFrom = contents.Report;
        });
    }

    /// <summary>The adapters that a file holds, not attached and with no weights of it.</summary>
    internal static AdapterNetwork ShapedAs(WeightFile file, AdapterHosts hosts, out AdapterFileReport report)
    {
        var contents = AdapterFileContents.Read(
            file, kind => LayerSearch.Named(hosts, kind), AdapterFormats.Default, AdapterNamings.Default);
        using var random = new Generator(0);
        var network = Create(contents.Adapters.Select(adapter => adapter.Options.Create(adapter.Layer, random)), _ => { });
        network.Detach();
        report = contents.Report;
        return network;
    }

    /// <summary>
    /// The trainable parameters of some parts under their names in files, with the layers they belong to, in the order of creation.
    /// </summary>
    /// <param name="parts">Which parts.</param>
    public IEnumerable<(string Name, Parameter Parameter, AdaptedLayer Layer)> NamedParameters(AdapterParts parts = AdapterParts.All) =>
        from adapter in _adapters
        where (adapter.Layer.Part & parts) != 0
        from parameter in adapter.named_parameters()
        select ($"{adapter.Layer.Name}.{parameter.name}", parameter.parameter, adapter.Layer);

    /// <summary>All that is saved (parameters and alphas) under its name in files. The tensors are the adapters' own.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> NamedTensors() =>
        _adapters.SelectMany(adapter =>
            ModuleTensors.Named(adapter).Select(tensor => ($"{adapter.Layer.Name}.{tensor.Key}", tensor.Value)));

    /// <summary>Sets how strongly the adapters act: 1 as trained, 0 off, negative the opposite.</summary>
    /// <param name="multiplier">The factor.</param>
    /// <param name="parts">Which parts.</param>
    public void SetMultiplier(float multiplier, AdapterParts parts = AdapterParts.All)
    {
        if (!float.IsFinite(multiplier))
            throw new ArgumentOutOfRangeException(nameof(multiplier), multiplier, "The multiplier must be a finite number.");
        foreach (var adapter in _adapters)
            if ((adapter.Layer.Part & parts) != 0) adapter.Multiplier = multiplier;
    }

    /// <summary>Switches between training (dropouts act) and use. New adapters are in training mode, as modules are.</summary>
    /// <param name="training">Whether dropouts act.</param>
    public void SetTraining(bool training) => _adapters.ForEach(adapter => adapter.train(training));

    /// <summary>
    /// Draws what the adapters' dropouts do in the coming forward and backward pass. To be called before each pass when
    /// <see cref="UsesRandomness"/>; does nothing otherwise.
    /// </summary>
    /// <param name="random">The stream of the dropouts.</param>
    public void BeginStep(Generator random)
    {
        if (!UsesRandomness) return;
        using var scope = NewDisposeScope();
        var seeds = randint(0, long.MaxValue, [_adapters.Count], dtype: ScalarType.Int64, generator: random).data<long>().ToArray();
        for (var i = 0; i < seeds.Length; i++) _adapters[i].StepSeed = seeds[i];
    }

    /// <summary>
    /// Loads weights into the adapters by name, whatever floating-point type they have in the file. What does not fit is left out and
    /// reported; a file may so hold a part of the weights, for instance initial down projections.
    /// </summary>
    /// <param name="path">A file with names of any scheme that is known (<see cref="AdapterNamings"/>), safetensors or torch.</param>
    /// <returns>What was missing, unexpected, or of another shape (another rank, for instance).</returns>
    /// <exception cref="InvalidFileException">The file cannot be read, or holds NaN or infinite numbers; then nothing is
    /// changed.</exception>
    public LoadReport LoadWeights(string path)
    {
        using var file = WeightFile.Open(path);
        var loading = new AdapterFileLoading(file, this, AdapterNamings.Default);
        loading.Load();
        LoadedFrom = loading.FileReport;
        return loading.Report;
    }

    /// <summary>As <see cref="LoadWeights"/>, but everything must fit; otherwise nothing is loaded.</summary>
    /// <param name="path">An adapter file of this kind, rank and model.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, or of another kind.</exception>
    /// <exception cref="WeightsDoNotFitException">Names are missing or unexpected, or ranks differ; the message lists all.</exception>
    public void Load(string path)
    {
        using var file = WeightFile.Open(path);
        var loading = new AdapterFileLoading(file, this, AdapterNamings.Default);
        if (loading.Report.IsComplete)
        {
            loading.Load();
            LoadedFrom = loading.FileReport;
            return;
        }

        // A file of which nothing fits may be no adapter file at all: then its reader says what it is.
        if (loading.FitsNothing)
        {
            var layers = new AdapterLayers(Adapters.Select(adapter => adapter.Layer));
            AdapterFileContents.Read(file, _ => layers, AdapterFormats.Default, AdapterNamings.Default);
        }

        throw new WeightsDoNotFitException(loading.Report,
            "Attach adapters of the file's kind, rank and parts first, or let AdapterNetwork.FromFile create what the file holds.");
    }

    /// <summary>Writes the adapters to a file, complete or not at all, with the hashes of its content in the metadata.</summary>
    /// <param name="path">The file: safetensors; a path that ends in .pt, .pth, .bin or .ckpt gives a torch file of the same tensors,
    /// which has no place for
    /// metadata.</param>
    /// <param name="metadata">What the file says about its training; null for nothing but the hashes.</param>
    /// <param name="dtype">The type of all tensors in the file; null for float32, in which they are trained.</param>
    /// <param name="naming">The scheme of names, such as <see cref="AdapterNamings.Peft"/> for diffusers; null for sd-scripts'.</param>
    /// <exception cref="NotSupportedException">The scheme cannot express a kind of adapter here, or torch files no such scheme.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(
        string path, IReadOnlyDictionary<string, string>? metadata = null, ScalarType? dtype = null, AdapterNaming? naming = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (naming is not null)
        {
            AdapterFileWriter.Save(this, path, naming, metadata, dtype);
            return;
        }

        var tensors = StatePayloads.Of(NamedTensors(), dtype);
        if (AdapterFiles.IsTorch(path)) TorchWriter.Write(path, tensors);
        else SafetensorsWriter.WriteHashed(path, tensors, metadata);
    }

    /// <summary>
    /// Adds each adapter's change to the weight of its layer, W ← W + multiplier · ΔW, computed in float32 and rounded to the
    /// weight's type, and takes the adapters off: the model then computes the same without them.
    /// </summary>
    public void Merge()
    {
        using var frozen = no_grad();
        foreach (var adapter in _adapters)
        {
            using var scope = NewDisposeScope();
            var weight = adapter.Layer.Weight;
            var precise = NetworkAdapter.Precise(weight);
            weight.copy_(precise + adapter.DeltaWeight(precise) * adapter.Multiplier);
        }

        Detach();
        _isMerged = true;
    }

    /// <summary>Takes the adapters off the model; they keep their weights and can still be saved. Does nothing the second time.</summary>
    public void Detach()
    {
        _wraps.ForEach(wrap => wrap.Dispose());
        _wraps.Clear();
    }

    /// <summary>Puts adapters that were taken off onto the model again, around all others. Does nothing where they are attached.</summary>
    /// <exception cref="InvalidOperationException">They were merged into the weights, and would act twice.</exception>
    public void Reattach()
    {
        if (_isMerged)
            throw new InvalidOperationException("The adapters were merged into the model's weights: attached again, they would act twice.");
        if (IsAttached) return;
        foreach (var adapter in _adapters) _wraps.Add(adapter.Layer.Module.Wrap(adapter.Forward));
    }

    /// <summary>Takes the adapters off the model and frees their weights.</summary>
    public void Dispose()
    {
        Detach();
        _adapters.ForEach(adapter => adapter.Dispose());
        _adapters.Clear();
    }

    /// <summary>Fills a network and attaches it; when that fails, nothing stays on the model.</summary>
    private static AdapterNetwork Create(IEnumerable<NetworkAdapter> adapters, Action<AdapterNetwork> prepare)
    {
        var network = new AdapterNetwork();
        try
        {
            network._adapters.AddRange(adapters);
            prepare(network);
            network.Reattach();
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }
}
