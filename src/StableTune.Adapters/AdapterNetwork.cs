using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>
/// All adapters of one kind on a model: attached to its layers by hooks, trained, saved, loaded, merged, taken off again. The
/// model itself is not changed, and does not own the adapters.
/// </summary>
public sealed class AdapterNetwork : IDisposable
{
    private readonly List<AttachedAdapter> _adapters = [];
    private readonly Dictionary<string, AttachedAdapter> _byName = new(StringComparer.Ordinal);
    private readonly List<Action> _hooks = [];

    private AdapterNetwork() { }

    /// <summary>The adapters, in the order of creation: text encoders first, then the UNet, each in the reference's order.</summary>
    public IReadOnlyList<AttachedAdapter> Adapters => _adapters;

    /// <summary>Whether the adapters take part in the model's computation.</summary>
    public bool IsAttached => _hooks.Count > 0;

    /// <summary>Whether training draws random numbers in the adapters, so that <see cref="BeginStep"/> must be called.</summary>
    public bool UsesRandomness => _adapters.Exists(entry => entry.Adapter.UsesRandomness);

    /// <summary>
    /// Creates an adapter for each target layer and attaches it. The model's own weights are left as they are: freeze those
    /// that shall not be trained.
    /// </summary>
    /// <param name="hosts">The modules to attach to; parts that the options leave out are passed over.</param>
    /// <param name="options">Kind, parts and targets.</param>
    /// <param name="random">What initial values are drawn from, adapter by adapter in the order of creation.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidOperationException">No layer fits the targets, or two layers would have the same name in
    /// files.</exception>
    public static AdapterNetwork Attach(AdapterHosts hosts, AdapterOptions options, Generator random)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        var problems = options.Validate().ToList();
        if (problems.Count > 0) throw new InvalidOptionsException(problems);
        return Create(network =>
        {
            foreach (var host in hosts.Named())
            {
                if ((options.TrainedParts & host.Part) == 0 || (host.TextEncoder > 0 && options.TextEncoderRate(host.TextEncoder) == 0)) continue;
                foreach (var found in host.Layers(options.Targets.ClassesOf(host.Part)))
                {
                    if (!options.Targets.Takes(found.Shape)) continue;
                    var place = new AdapterNames.Place(found, host.Part, host.Name(options.KeyPrefix, found), host.OtherName(options.KeyPrefix, found));
                    network.Add(place, () => options.Create(found.Shape, random));
                }
            }

            if (network._adapters.Count > 0) return;
            var classes = string.Join(", ", options.Targets.UNetClasses.Concat(options.Targets.TextEncoderClasses));
            throw new InvalidOperationException($"No layer of the model fits the targets of {options.GetType().Name}: " +
                $"it looks below {classes} in {options.TrainedParts}. Give other targets or parts.");
        });
    }

    /// <summary>Creates the adapters that a file holds, with its ranks and alphas, attaches them and loads their weights.</summary>
    /// <param name="path">An adapter file.</param>
    /// <param name="hosts">The modules to attach to.</param>
    /// <param name="multiplier">How strongly they act.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, of a kind that cannot be loaded, or does not fit this
    /// model; the message lists the names.</exception>
    public static AdapterNetwork FromFile(string path, AdapterHosts hosts, float multiplier = 1f)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        using var file = WeightFile.Open(path);
        var contents = AdapterFileContents.Read(file);
        var places = AdapterNames.Places(hosts, contents.KeyPrefix);
        contents.CheckFits(places);
        // Everything is overwritten by the file; the generator is there because creating asks for one.
        using var random = new Generator(0);
        var network = Create(network =>
        {
            foreach (var (name, place) in places)
                if (contents.Modules.TryGetValue(name, out var tensors) && (name == place.Name || !contents.Modules.ContainsKey(place.Name)))
                    network.Add(place, () => contents.Kind.OptionsFor(file, name, tensors).Create(place.Layer.Shape, random));
        });
        try
        {
            network.LoadFrom(file).ThrowIfIncomplete();
            network.SetMultiplier(multiplier);
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <summary>The trainable parameters of one or both parts under their names in files, in the order of creation.</summary>
    /// <param name="parts">Which parts.</param>
    public IEnumerable<(string Name, Parameter Parameter)> NamedParameters(AdapterParts parts = AdapterParts.Both) =>
        from entry in _adapters
        where (entry.Part & parts) != 0
        from parameter in entry.Adapter.named_parameters()
        select ($"{entry.Name}.{parameter.name}", parameter.parameter);

    /// <summary>All that is saved (parameters and alphas) under its name in files. The tensors are the adapters' own.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> NamedTensors() =>
        _adapters.SelectMany(entry => ModuleTensors.Named(entry.Adapter).Select(tensor => ($"{entry.Name}.{tensor.Key}", tensor.Value)));

    /// <summary>Sets how strongly the adapters act: 1 as trained, 0 off, negative the opposite.</summary>
    /// <param name="multiplier">The factor.</param>
    /// <param name="parts">Which parts.</param>
    public void SetMultiplier(float multiplier, AdapterParts parts = AdapterParts.Both)
    {
        if (!float.IsFinite(multiplier))
            throw new ArgumentOutOfRangeException(nameof(multiplier), multiplier, "The multiplier must be a finite number.");
        foreach (var entry in _adapters)
            if ((entry.Part & parts) != 0) entry.Adapter.Multiplier = multiplier;
    }

    /// <summary>Switches between training (dropouts act) and use. New adapters are in training mode, as modules are.</summary>
    /// <param name="training">Whether dropouts act.</param>
    public void SetTraining(bool training) => _adapters.ForEach(entry => entry.Adapter.train(training));

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
        for (var i = 0; i < seeds.Length; i++) _adapters[i].Adapter.StepSeed = seeds[i];
    }

    /// <summary>
    /// Loads weights into the adapters by name, whatever floating-point type they have in the file. What does not fit is left out and
    /// reported; a file may so hold a part of the weights, for instance initial down projections.
    /// </summary>
    /// <param name="path">A file with names as <see cref="Save"/> writes them, safetensors or torch.</param>
    /// <returns>What was missing, unexpected, or of another shape (another rank, for instance).</returns>
    /// <exception cref="InvalidFileException">The file cannot be read.</exception>
    public LoadReport LoadWeights(string path)
    {
        using var file = WeightFile.Open(path);
        return LoadFrom(file);
    }

    /// <summary>As <see cref="LoadWeights"/>, but everything must fit.</summary>
    /// <param name="path">An adapter file of this kind, rank and model.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, or of another kind.</exception>
    /// <exception cref="WeightsDoNotFitException">Names are missing or unexpected, or ranks differ; the message lists all.</exception>
    public void Load(string path)
    {
        using var file = WeightFile.Open(path);
        AdapterFileContents.Read(file);
        var report = LoadFrom(file);
        if (!report.IsComplete)
            throw new WeightsDoNotFitException(report,
                "Attach adapters of the file's rank and parts first, or let AdapterNetwork.FromFile create what the file holds.");
    }

    /// <summary>Writes the adapters to a file, complete or not at all, with the hashes of its content in the metadata.</summary>
    /// <param name="path">The file: safetensors; a path that ends in .pt, .pth, .bin or .ckpt gives a torch file of the same tensors, which has no place for
    /// metadata.</param>
    /// <param name="metadata">What the file says about its training, see <see cref="AdapterMetadata"/>; null for nothing but
    /// the hashes.</param>
    /// <param name="dtype">The type of all tensors in the file; null for float32, in which they are trained.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path, IReadOnlyDictionary<string, string>? metadata = null, ScalarType? dtype = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
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
        foreach (var entry in _adapters)
        {
            using var scope = NewDisposeScope();
            var weight = LayerShape.WeightOf(entry.Layer);
            weight.copy_(weight.to(ScalarType.Float32) + entry.Adapter.DeltaWeight() * entry.Adapter.Multiplier);
        }

        Detach();
    }

    /// <summary>Takes the adapters off the model; they keep their weights and can still be saved. Does nothing the second time.</summary>
    public void Detach()
    {
        _hooks.ForEach(remove => remove());
        _hooks.Clear();
    }

    /// <summary>Takes the adapters off the model and frees their weights.</summary>
    public void Dispose()
    {
        Detach();
        _adapters.ForEach(entry => entry.Adapter.Dispose());
        _adapters.Clear();
        _byName.Clear();
    }

    /// <summary>Fills a network and attaches it; when that fails, nothing stays on the model.</summary>
    private static AdapterNetwork Create(Action<AdapterNetwork> fill)
    {
        var network = new AdapterNetwork();
        try
        {
            fill(network);
            foreach (var entry in network._adapters) network._hooks.Add(Hook(entry.Layer, entry.Adapter));
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private void Add(AdapterNames.Place place, Func<NetworkAdapter> create)
    {
        if (_byName.TryGetValue(place.Name, out var other))
            throw new InvalidOperationException($"The layers '{other.Path}' and '{place.Layer.Path}' would both be named '{place.Name}' in files. Leave one of them out by other targets.");
        var entry = new AttachedAdapter(place.Name, place.Layer.Path, place.Part, place.Layer.Layer, create()) { OtherName = place.OtherName };
        _adapters.Add(entry);
        _byName.Add(place.Name, entry);
    }

    private static Action Hook(nn.Module layer, NetworkAdapter adapter) =>
        ((nn.Module<Tensor, Tensor>)layer).register_forward_hook((_, input, output) =>
        {
            var result = adapter.Apply(input, output);
            // The graph keeps what it needs; the plain output must not live on until the caller's scope ends.
            if (result is not null) output.Dispose();
            return result!;
        }).remove;

    private LoadReport LoadFrom(WeightFile file)
    {
        var modules = file.Names.Select(name => name.Split('.', 2)[0]).ToHashSet(StringComparer.Ordinal);
        string NameIn(AttachedAdapter entry) => entry.OtherName is { } other && modules.Contains(other) && !modules.Contains(entry.Name) ? other : entry.Name;
        var own = _adapters.SelectMany(entry => ModuleTensors.Named(entry.Adapter).Select(tensor => (Name: $"{NameIn(entry)}.{tensor.Key}", tensor.Value)))
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Value.shape, StringComparer.Ordinal);
        var unexpected = file.Names.Where(name => !own.ContainsKey(name)).ToList();
        var shared = file.Tensors.Where(info => own.ContainsKey(info.Name)).ToList();
        var mismatched = shared.Where(info => !own[info.Name].SequenceEqual(info.Shape))
            .Select(info => new ShapeMismatch(info.Name, own[info.Name], info.Shape)).ToList();
        // A file without alphas is legal: alpha is then the rank.
        var missing = own.Keys.Where(name => !file.Contains(name) && !name.EndsWith(".alpha", StringComparison.Ordinal)).ToList();
        var wrong = mismatched.Select(mismatch => mismatch.Name).ToHashSet(StringComparer.Ordinal);
        CheckAlphas(file, shared.Select(info => info.Name).Where(name => name.EndsWith(".alpha", StringComparison.Ordinal) && !wrong.Contains(name)));
        foreach (var entry in _adapters)
        {
            using var scope = NewDisposeScope();
            var module = NameIn(entry);
            var tensors = ModuleTensors.Named(entry.Adapter).Keys
                .Where(name => file.Contains($"{module}.{name}") && !wrong.Contains($"{module}.{name}"))
                .ToDictionary(name => name, name => file.Load($"{module}.{name}", ScalarType.Float32), StringComparer.Ordinal);
            if (tensors.Count > 0) entry.Adapter.LoadTensors(tensors);
        }

        return new LoadReport(file.Path, missing, unexpected, mismatched);
    }

    /// <summary>Looks at all alphas before any weight is changed.</summary>
    private static void CheckAlphas(WeightFile file, IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            using var alpha = file.Load(name, ScalarType.Float32);
            var value = alpha.item<float>();
            if (!(value >= 0 && float.IsFinite(value)))
                throw new InvalidFileException(file.Path, $"'{name}' is {value}.", "It must be at least 0: save the file again.");
        }
    }
}
