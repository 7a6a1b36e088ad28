using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>A file beside a network: what fits by name and shape, and its loading.</summary>
internal sealed class AdapterFileLoading
{
    private readonly AdapterNetwork _network;
    private readonly AdapterFileView _view;
    private readonly WeightFile _file;
    private readonly List<string> _unplaced;

    /// <summary>Compares; loads nothing yet.</summary>
    /// <exception cref="InvalidFileException">Names or settings of the file contradict each other.</exception>
    public AdapterFileLoading(WeightFile file, AdapterNetwork network, AdapterNamings namings)
    {
        _network = network;
        using var scope = NewDisposeScope();
        var tensors = AdapterFileNames.TensorsOf(AdapterFormats.Default);
        tensors.UnionWith(network.Adapters.SelectMany(adapter => adapter.SavedTensors().Keys));
        var names = AdapterFileNames.Read(file, namings, tensors);
        var layers = new AdapterLayers(network.Adapters.Select(adapter => adapter.Layer));
        _view = new AdapterFileView(file);
        _file = new WeightFile(_view);
        var unplaced = new List<AdapterFileModule>();
        foreach (var module in names.Modules)
        {
            if (layers.Find(module.Name) is { } layer && layer.IsNamedBy(module.Name.Kind)) _view.Add(module, layer);
            else unplaced.Add(module);
        }

        _unplaced = [.. unplaced.SelectMany(module => module.Tensors.Values).Select(info => info.Name), .. names.Strange];
        FileReport = AdapterFileContents.ReportOf(file, names, unplaced);
        Report = Compare();
    }

    /// <summary>What is missing, unexpected, or of another shape.</summary>
    public LoadReport Report { get; }

    /// <summary>The same without what the file has for other layers.</summary>
    public LoadReport ReportOfLayers => Report with { Unexpected = [.. Report.Unexpected.Except(_unplaced)] };

    /// <summary>Whose names the file has, and what it holds beside.</summary>
    public AdapterFileReport FileReport { get; }

    /// <summary>The file under the names and shapes that the network's tensors have.</summary>
    public AdapterFileView View => _view;

    /// <summary>Whether the file has nothing for the network's layers.</summary>
    public bool FitsNothing => _view.Tensors.Count == 0;

    /// <summary>Looks at all numbers that would be loaded.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="Load"/>.</exception>
    public void CheckNumbers()
    {
        foreach (var adapter in _network.Adapters)
        {
            using var scope = NewDisposeScope();
            Tensors(adapter, []);
        }
    }

    /// <summary>Loads what fits.</summary>
    /// <exception cref="InvalidFileException">An alpha is negative, or a number is NaN or infinite; then nothing was changed.</exception>
    public LoadReport Load()
    {
        using var scope = NewDisposeScope();
        var wrong = Report.Mismatched.Select(mismatch => mismatch.Name).ToHashSet(StringComparer.Ordinal);
        var loaded = _network.Adapters.Select(adapter => (Adapter: adapter, Tensors: Tensors(adapter, wrong))).ToList();
        foreach (var (adapter, tensors) in loaded)
            if (tensors.Count > 0) adapter.LoadTensors(tensors);
        return Report;
    }

    private LoadReport Compare()
    {
        using var scope = NewDisposeScope();
        var own = _network.SavedTensors().ToDictionary(tensor => tensor.Name, tensor => tensor.Tensor.shape, StringComparer.Ordinal);
        List<string> unexpected = [.. _view.Tensors.Where(info => !own.ContainsKey(info.Name)).Select(info => _view.NameInFile(info.Name)),
            .. _unplaced];
        var mismatched = _view.Tensors.Where(info => own.ContainsKey(info.Name) && !own[info.Name].SequenceEqual(info.Shape))
            .Select(info => new ShapeMismatch(_view.NameInFile(info.Name), own[info.Name], info.Shape)).ToList();
        // A file without alphas is legal: alpha is then the rank.
        var missing = own.Keys.Where(name => !_file.Contains(name) && !name.EndsWith(".alpha", StringComparison.Ordinal)).ToList();
        return new LoadReport(_file.Path, missing, unexpected, mismatched);
    }

    /// <summary>The tensors of an adapter that fit, looked at before any weight is changed.</summary>
    private Dictionary<string, Tensor> Tensors(NetworkAdapter adapter, HashSet<string> wrong)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var tensor in adapter.SavedTensors().Keys)
        {
            var name = $"{adapter.Layer.Name}.{tensor}";
            if (!_file.Contains(name) || wrong.Contains(_view.NameInFile(name))) continue;
            tensors.Add(tensor, FiniteNumbers.Checked(_file.Path, _view.NameInFile(name), _file.Load(name, ScalarType.Float32)));
            if (tensor == "alpha" && tensors[tensor].item<float>() is < 0 and var alpha)
                throw new InvalidFileException(_file.Path, $"'{_view.NameInFile(name)}' is {alpha}.",
                    "It must be at least 0: save the file again.");
        }

        return tensors;
    }
}
