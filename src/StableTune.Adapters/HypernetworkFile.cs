using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>AUTOMATIC1111's file of a hypernetwork: a dictionary with pairs of state dictionaries by width, and facts by name.</summary>
internal sealed class HypernetworkFile : IDisposable
{
    private const string Remedy = "Give a hypernetwork of AUTOMATIC1111's web UI, saved again if it is broken.";

    private readonly TorchFile _file;
    private readonly PickleDictionary _root;

    private HypernetworkFile(TorchFile file)
    {
        _file = file;
        _root = file.Root as PickleDictionary ?? throw Fault("holds no dictionary");
        Options = new HypernetworkOptions
        {
            Name = Text("name") ?? Path.GetFileNameWithoutExtension(file.Path),
            LayerStructure = Structure(), Activation = Text("activation_func")?.ToLowerInvariant() ?? "linear",
            ActivateOutput = Flag("activate_output"), LayerNorm = Flag("is_layer_norm"),
        };
        if (!HypernetworkActivations.Known.ContainsKey(Options.Activation))
            throw Fault($"has the activation '{Options.Activation}', of which nothing is known here " +
                $"({string.Join(", ", HypernetworkActivations.Known.Keys)} are)");
        Step = _root.TryGet("step", out var step) && step is PickleInteger number && number.TryGetInt64(out var count) ? count : 0;
        foreach (var (key, value) in _root)
            if (key is PickleInteger width && width.TryGetInt64(out var n) && value is PickleSequence { Count: 2 } pair)
                Modules.Add(n, (new StoredModule(this, n, "keys", pair[0]), new StoredModule(this, n, "values", pair[1])));
        if (Modules.Count == 0) throw Fault("holds no pair of modules by width");
    }

    public HypernetworkOptions Options { get; }

    public long Step { get; }

    /// <summary>The modules of keys and values by width.</summary>
    public SortedDictionary<long, (StoredModule Keys, StoredModule Values)> Modules { get; } = [];

    /// <exception cref="InvalidFileException">It is no hypernetwork, or broken.</exception>
    public static HypernetworkFile Read(string path)
    {
        var file = TorchFile.Open(path);
        try
        {
            return new HypernetworkFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What writes the file: from copies of the modules' numbers, or from themselves where there are none to take.</summary>
    /// <returns>Null where the copies would take too much memory.</returns>
    public static Action? Prepare(string path, HypernetworkOptions options, long step,
        IEnumerable<KeyValuePair<long, (HypernetworkModule Keys, HypernetworkModule Values)>> modules, PayloadCopies? copies)
    {
        using var scope = NewDisposeScope();
        var entries = new List<KeyValuePair<PickleValue, PickleValue>>();
        foreach (var (width, (keys, values)) in modules)
        {
            if (State(keys) is not { } first || State(values) is not { } second) return null;
            entries.Add(new(width, new PickleSequence(PickleSequenceKind.Tuple, [first, second])));
        }

        void Fact(string name, PickleValue value) => entries.Add(new(name, value));
        Fact("step", step);
        Fact("name", options.Name);
        Fact("layer_structure", new PickleSequence(PickleSequenceKind.List, options.LayerStructure.Select(part => (PickleValue)part)));
        Fact("activation_func", options.Activation);
        Fact("is_layer_norm", options.LayerNorm);
        Fact("weight_initialization", "Normal");
        Fact("activate_output", options.ActivateOutput);
        Fact("last_layer_dropout", false);
        return () => TorchWriter.Write(path, PickleDictionary.WithKeys(entries));

        PickleValue? State(HypernetworkModule module)
        {
            var named = StatePayloads.Of(module.named_parameters().Select(p => (p.name, (Tensor)p.parameter)));
            return (copies is null ? named : copies.Take(named)) is not { } payloads ? null : new PickleDictionary(
                payloads.Select(payload => KeyValuePair.Create<string, PickleValue>(payload.Name, PickleTensor.From(payload))),
                ordered: true);
        }
    }

    public void Dispose() => _file.Dispose();

    private InvalidFileException Fault(string fault) => new(_file.Path, $"it {fault}.", Remedy);

    private string? Text(string name) => _root.TryGet(name, out var value) && value is PickleText text ? text.Value : null;

    private bool Flag(string name) => _root.TryGet(name, out var value) && value is PickleBoolean { Value: true };

    private IReadOnlyList<double> Structure()
    {
        if (!_root.TryGet("layer_structure", out var value) || value is not PickleSequence sequence)
            return new HypernetworkOptions().LayerStructure;
        return [.. sequence.Select(part => part switch
        {
            PickleFloat number => number.Value,
            PickleInteger number when number.TryGetInt64(out var n) => n,
            _ => throw Fault($"has a layer_structure with {part}"),
        })];
    }

    /// <summary>One module: its layers, in order, and its tensors.</summary>
    internal sealed class StoredModule
    {
        private readonly HypernetworkFile _owner;
        private readonly Dictionary<string, PickleTensor> _tensors = new(StringComparer.Ordinal);

        public StoredModule(HypernetworkFile owner, long width, string side, PickleValue value)
        {
            _owner = owner;
            var at = $"{side} of width {width}";
            foreach (var (key, tensor) in value as PickleDictionary ?? throw owner.Fault($"holds no weights for the {at}"))
                if (key is PickleText name && tensor is PickleTensor found) _tensors.Add(Renamed(name.Value), found);
            var layers = new List<HypernetworkLayer>();
            var next = width;
            foreach (var (index, weight) in _tensors.Where(entry => entry.Key.EndsWith(".weight", StringComparison.Ordinal))
                .Select(entry => (Index: Number(entry.Key, at), entry.Value)).OrderBy(entry => entry.Index))
            {
                if (weight.Shape.Count is not (1 or 2) || weight.Shape[^1] != next || weight.Shape[0] < 1)
                    throw owner.Fault(
                        $"has layers that do not fit each other in the {at}: linear.{index}.weight is {weight}, its input {next}");
                layers.Add(new HypernetworkLayer(index, next, weight.Shape.Count == 2 ? weight.Shape[0] : null));
                next = weight.Shape[0];
                if (!_tensors.TryGetValue($"linear.{index}.bias", out var bias) || !bias.Shape.SequenceEqual([next]))
                    throw owner.Fault($"has no linear.{index}.bias of {next} in the {at}");
            }

            if (next != width || !layers.Exists(layer => layer.Outputs is not null))
                throw owner.Fault($"has a last layer of {next} outputs in the {at}");
            Layers = layers;
        }

        public IReadOnlyList<HypernetworkLayer> Layers { get; }

        /// <summary>Reads the tensors into a module of these layers.</summary>
        public void FillInto(HypernetworkModule module)
        {
            using var frozen = no_grad();
            foreach (var (name, parameter) in module.named_parameters())
            {
                using var scope = NewDisposeScope();
                var stored = _tensors[name];
                var values = empty(stored.Shape.ToArray(), dtype: stored.DType.ToScalarType());
                _owner._file.Read(stored, values.bytes);
                if (!values.to(ScalarType.Float32).isfinite().all().item<bool>()) throw _owner.Fault($"holds NaN or infinity in '{name}'");
                parameter.copy_(values);
            }
        }

        /// <summary>The first hypernetworks called their two layers <c>linear1</c> and <c>linear2</c>.</summary>
        private static string Renamed(string name) => name.StartsWith("linear1.", StringComparison.Ordinal) ? $"linear.0.{name[8..]}"
            : name.StartsWith("linear2.", StringComparison.Ordinal) ? $"linear.1.{name[8..]}" : name;

        private int Number(string name, string at) => name.Split('.') is ["linear", var number, _] && int.TryParse(number, out var index)
            ? index : throw _owner.Fault($"has a strange tensor '{name}' in the {at}");
    }
}
