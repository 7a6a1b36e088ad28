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
    private readonly List<(Tensor Weight, Tensor Original)> _originals = [];
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
    /// <param name="change">Changes the options that an adapter of the file is made with, dropouts for instance; null for none.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, of a kind that cannot be loaded, does not fit this
    /// model, or holds NaN or infinite numbers; the message lists the names.</exception>
    /// <exception cref="InvalidOperationException">Two layers of the model have the same name in files.</exception>
    public static AdapterNetwork FromFile(string path, AdapterHosts hosts, float multiplier = 1f, AdapterFormats? formats = null,
        AdapterNamings? namings = null, Func<AdapterOptions, AdapterOptions>? change = null)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        namings ??= AdapterNamings.Default;
        using var file = WeightFile.Open(path);
        var contents = AdapterFileContents.Read(
            file, kind => LayerSearch.Named(hosts, kind), formats ?? AdapterFormats.Default, namings);
        // Everything is overwritten by the file; the generator is there because creating asks for one.
        using var random = new Generator(0);
        var adapters =
            from adapter in contents.Adapters
            let options = change is null ? adapter.Options : change(adapter.Options)
            select options.Create(adapter.Layer, random);
        return Create(adapters, network =>
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

    /// <summary>All parameters and buffers (alphas) under their names in files. The tensors are the adapters' own.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> NamedTensors() =>
        _adapters.SelectMany(adapter =>
            ModuleTensors.Named(adapter).Select(tensor => ($"{adapter.Layer.Name}.{tensor.Key}", tensor.Value)));

    /// <summary>
    /// All that <see cref="Save"/> writes, under its name in files: <see cref="NamedTensors"/>, but for kinds that fold one tensor into
    /// another. The tensors are the adapters' own, or fresh ones of the open dispose scope.
    /// </summary>
    public IEnumerable<(string Name, Tensor Tensor)> SavedTensors() =>
        _adapters.SelectMany(adapter => adapter.SavedTensors().Select(tensor => ($"{adapter.Layer.Name}.{tensor.Key}", tensor.Value)));

    /// <summary>
    /// Makes adapters weaker whose ΔW has a Frobenius norm above a limit (sd-scripts' <c>scale_weight_norms</c>), as is done after each
    /// step of the optimizer.
    /// </summary>
    /// <param name="limit">The largest norm that is left alone, above 0; 1 is a start.</param>
    /// <returns>How many were made weaker, and the norms afterwards; zeros where no adapter's kind has a norm to limit.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not a positive, finite number.</exception>
    public NormReport LimitNorms(double limit)
    {
        if (!(limit > 0 && double.IsFinite(limit)))
            throw new ArgumentOutOfRangeException(nameof(limit), limit, "The limit must be a positive number.");
        using var frozen = no_grad();
        NormLimit[] norms = [.. _adapters.Select(adapter => adapter.LimitNorm(limit)).OfType<NormLimit>()];
        return norms.Length == 0 ? default
            : new NormReport(norms.Count(norm => norm.IsScaled), norms.Average(norm => norm.Norm), norms.Max(norm => norm.Norm));
    }

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

    /// <summary>Sets how strongly each adapter acts: by block, by path, by part.</summary>
    /// <param name="multiplier">Given the layer, returns the factor: <c>layer => layer.Block &lt; 12 ? 0.5f : 1f</c>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A factor is NaN or infinite; then none is set.</exception>
    public void SetMultiplier(Func<AdaptedLayer, float> multiplier)
    {
        ArgumentNullException.ThrowIfNull(multiplier);
        float[] factors = [.. _adapters.Select(adapter => multiplier(adapter.Layer))];
        if (factors.FirstOrDefault(factor => !float.IsFinite(factor), 1f) is var bad && !float.IsFinite(bad))
            throw new ArgumentOutOfRangeException(nameof(multiplier), bad, "The multiplier must be a finite number.");
        for (var i = 0; i < factors.Length; i++) _adapters[i].Multiplier = factors[i];
    }

    /// <summary>Switches between training (dropouts act) and use. New adapters are in training mode, as modules are.</summary>
    /// <param name="training">Whether dropouts act.</param>
    public void SetTraining(bool training) => _adapters.ForEach(adapter => adapter.train(training));

    /// <summary>
    /// Draws what the adapters' dropouts do in the coming forward and backward pass. To be called before each pass when
    /// <see cref="UsesRandomness"/>; does nothing otherwise.
    /// </summary>
    /// <param name="random">The stream of the dropouts.</param>
    /// <param name="share">Which samples of a batch the pass has, where several devices share the batch; null for all.</param>
    public void BeginStep(Generator random, BatchShare? share = null)
    {
        if (!UsesRandomness) return;
        using var scope = NewDisposeScope();
        var seeds = randint(0, long.MaxValue, [_adapters.Count], dtype: ScalarType.Int64, generator: random).data<long>().ToArray();
        for (var i = 0; i < seeds.Length; i++) (_adapters[i].StepSeed, _adapters[i].StepShare) = (seeds[i], share);
    }

    /// <summary>Gives the control picture to the adapters that one steers (ControlNet-LLLite), until another is given.</summary>
    /// <param name="image">
    /// [B, 3, height, width] in -1..1, of the images' size, one for each image of a batch or one for all; null takes it away, and the
    /// adapters act no more. Not owned: it must stay alive as long as it is used, through the backward pass too.
    /// </param>
    /// <exception cref="ArgumentException">It has another shape.</exception>
    /// <exception cref="InvalidOperationException">No adapter of this network is steered by a picture.</exception>
    public void SetControl(Tensor? image)
    {
        if (image is not null && (image.dim() != 4 || image.shape[1] != 3 || image.numel() == 0))
            throw new ArgumentException(
                $"The control picture is [{string.Join(", ", image.shape)}]: give [B, 3, height, width] in -1..1.", nameof(image));
        if (!_adapters.Exists(adapter => adapter.UsesControl))
            throw new InvalidOperationException(
                "This network has no adapter that a control picture steers: attach LLLiteOptions, or load a ControlNet-LLLite file.");
        foreach (var adapter in _adapters.Where(adapter => adapter.UsesControl)) adapter.Control = image;
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

        using var scope = NewDisposeScope();
        var tensors = StatePayloads.Of(SavedTensors(), dtype);
        if (AdapterFiles.IsTorch(path)) TorchWriter.Write(path, tensors);
        else SafetensorsWriter.WriteHashed(path, tensors, metadata);
    }

    /// <summary>Copies what <see cref="Save"/> would write now, so that it can be written while training goes on.</summary>
    /// <returns>Writes the file, on any thread, with the metadata that it asks for then; null where copies would take too much
    /// memory.</returns>
    public Action? PrepareSave(
        string path, Func<IReadOnlyDictionary<string, string>?> metadata, ScalarType? dtype, PayloadCopies copies)
    {
        ArgumentNullException.ThrowIfNull(copies);
        using var scope = NewDisposeScope();
        if (copies.TakeLasting(SavedTensors(), dtype) is not { } tensors) return null;
        return AdapterFiles.IsTorch(path) ? () => TorchWriter.Write(path, tensors)
            : () => SafetensorsWriter.WriteHashed(path, tensors, metadata());
    }

    /// <summary>
    /// Adds each adapter's change to the weight of its layer, W ← W + ΔW at its multiplier, computed in float32 and rounded to the
    /// weight's type (the bias likewise, where the kind changes it), and takes the adapters off: the model then computes the same
    /// without them.
    /// </summary>
    /// <param name="keepOriginals">Whether the weights as they were are kept, so that <see cref="Unmerge"/> can put them back. They take
    /// as much memory again.</param>
    /// <exception cref="InvalidOperationException">The adapters are merged already, or of a kind that changes no weights.</exception>
    public void Merge(bool keepOriginals = false)
    {
        if (_isMerged) throw new InvalidOperationException("The adapters are merged into the model's weights already.");
        if (_adapters.Find(adapter => !adapter.CanMerge) is { } fixedOne)
            throw new InvalidOperationException(
                $"{fixedOne.GetName()} at {fixedOne.Layer.Path} cannot be merged: what it adds is no change of the weight. " +
                "Keep it attached.");
        if (_adapters.Find(adapter => adapter.Layer.IsQuantized) is { } coded)
            throw new InvalidOperationException(
                $"The weight of {coded.Layer.Path} is held in {((ProductLayer)coded.Layer.Module).Quantized!.Quantization.Name}: nothing " +
                "can be merged into it. Call Dequantize() of the model's part first, or merge into the model's file.");
        using var frozen = no_grad();
        foreach (var adapter in _adapters)
        {
            using var scope = NewDisposeScope();
            var (weight, bias, multiplier) = (adapter.Layer.Weight, adapter.Layer.Bias, adapter.Multiplier);
            var precise = NetworkAdapter.Precise(weight);
            Change(weight, precise, adapter.DeltaWeight(precise, multiplier), keepOriginals);
            if (bias is null) continue;
            var preciseBias = NetworkAdapter.Precise(bias);
            if (adapter.DeltaBias(preciseBias, multiplier) is { } change) Change(bias, preciseBias, change, keepOriginals);
        }

        Detach();
        _isMerged = true;
    }

    /// <summary>Puts the weights back bit by bit as they were before <see cref="Merge"/>, and the adapters on the model again.</summary>
    /// <exception cref="InvalidOperationException">They were not merged, or the originals were not kept.</exception>
    public void Unmerge()
    {
        if (!_isMerged || _originals.Count == 0)
            throw new InvalidOperationException("There are no original weights to put back: call Merge(keepOriginals: true) first.");
        using (no_grad())
            foreach (var (weight, original) in Enumerable.Reverse(_originals)) weight.copy_(original);
        ForgetOriginals();
        _isMerged = false;
        Reattach();
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
        ForgetOriginals();
        _adapters.ForEach(adapter => adapter.Dispose());
        _adapters.Clear();
    }

    private void Change(Tensor weight, Tensor precise, Tensor change, bool keepsOriginal)
    {
        if (keepsOriginal) _originals.Add((weight, weight.detach().clone().DetachFromDisposeScope()));
        weight.copy_(precise + change);
    }

    private void ForgetOriginals()
    {
        _originals.ForEach(entry => entry.Original.Dispose());
        _originals.Clear();
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

/// <summary>What limiting the norms of a network's adapters did.</summary>
/// <param name="Scaled">Adapters that were made weaker.</param>
/// <param name="Mean">Mean of the norms afterwards.</param>
/// <param name="Largest">Largest of the norms afterwards.</param>
public readonly record struct NormReport(int Scaled, double Mean, double Largest);
