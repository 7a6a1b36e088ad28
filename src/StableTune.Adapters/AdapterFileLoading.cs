using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>A file beside a network: what fits by name and shape, and its loading.</summary>
internal sealed class AdapterFileLoading
{
    private readonly WeightFile _file;
    private readonly AdapterNetwork _network;
    private readonly HashSet<string> _modules;

    public AdapterFileLoading(WeightFile file, AdapterNetwork network)
    {
        (_file, _network) = (file, network);
        _modules = file.Names.Select(name => name.Split('.', 2)[0]).ToHashSet(StringComparer.Ordinal);
        Report = Compare();
    }

    /// <summary>What is missing, unexpected, or of another shape.</summary>
    public LoadReport Report { get; }

    /// <summary>Loads what fits.</summary>
    /// <exception cref="InvalidFileException">An alpha is negative, infinite or NaN; then nothing was changed.</exception>
    public LoadReport Load()
    {
        var wrong = Report.Mismatched.Select(mismatch => mismatch.Name).ToHashSet(StringComparer.Ordinal);
        CheckAlphas(wrong);
        foreach (var adapter in _network.Adapters)
        {
            using var scope = NewDisposeScope();
            var module = NameInFile(adapter.Layer);
            var tensors = adapter.SavedTensors().Keys
                .Where(name => _file.Contains($"{module}.{name}") && !wrong.Contains($"{module}.{name}"))
                .ToDictionary(name => name, name => _file.Load($"{module}.{name}", ScalarType.Float32), StringComparer.Ordinal);
            if (tensors.Count > 0) adapter.LoadTensors(tensors);
        }

        return Report;
    }

    private LoadReport Compare()
    {
        var own = _network.Adapters
            .SelectMany(adapter =>
                adapter.SavedTensors().Select(tensor => (Name: $"{NameInFile(adapter.Layer)}.{tensor.Key}", tensor.Value)))
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Value.shape, StringComparer.Ordinal);
        var unexpected = _file.Names.Where(name => !own.ContainsKey(name)).ToList();
        var mismatched = _file.Tensors.Where(info => own.ContainsKey(info.Name) && !own[info.Name].SequenceEqual(info.Shape))
            .Select(info => new ShapeMismatch(info.Name, own[info.Name], info.Shape)).ToList();
        // A file without alphas is legal: alpha is then the rank.
        var missing = own.Keys.Where(name => !_file.Contains(name) && !name.EndsWith(".alpha", StringComparison.Ordinal)).ToList();
        return new LoadReport(_file.Path, missing, unexpected, mismatched);
    }

    private string NameInFile(AdaptedLayer layer) =>
        layer.OtherName is { } other && _modules.Contains(other) && !_modules.Contains(layer.Name) ? other : layer.Name;

    /// <summary>Looks at all alphas before any weight is changed.</summary>
    private void CheckAlphas(HashSet<string> wrong)
    {
        foreach (var adapter in _network.Adapters.Where(adapter => adapter.SavedTensors().ContainsKey("alpha")))
        {
            var name = $"{NameInFile(adapter.Layer)}.alpha";
            if (!_file.Contains(name) || wrong.Contains(name)) continue;
            using var alpha = _file.Load(name, ScalarType.Float32);
            var value = alpha.item<float>();
            if (!(value >= 0 && float.IsFinite(value)))
                throw new InvalidFileException(_file.Path, $"'{name}' is {value}.", "It must be at least 0: save the file again.");
        }
    }
}
