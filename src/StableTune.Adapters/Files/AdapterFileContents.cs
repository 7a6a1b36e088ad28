using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>The adapters of a file, each with its layer and the options that make it.</summary>
/// <param name="Adapters">In the order in which the reference creates adapters.</param>
/// <param name="Report">Whose names they are, and what was left out.</param>
internal sealed record AdapterFileContents(
    IReadOnlyList<(AdaptedLayer Layer, AdapterOptions Options)> Adapters, AdapterFileReport Report)
{
    /// <summary>Tells each adapter's kind and layer.</summary>
    /// <param name="file">The file.</param>
    /// <param name="layers">The layers that adapters of a kind can have, by what the names of the kind begin with.</param>
    /// <param name="formats">The kinds.</param>
    /// <param name="namings">The schemes of names.</param>
    /// <exception cref="InvalidFileException">It is no adapter file, of a kind that cannot be loaded, or for another model; the message
    /// says what it seems to be.</exception>
    /// <exception cref="InvalidOperationException">Two layers have the same name in files.</exception>
    public static AdapterFileContents Read(
        WeightFile file, Func<string, AdapterLayers> layers, AdapterFormats formats, AdapterNamings namings)
    {
        var names = AdapterFileNames.Read(file, namings, AdapterFileNames.TensorsOf(formats));
        var found = Kinds(file, names, formats);
        var byKind = found.Select(entry => entry.Format.KeyPrefix).Distinct().ToDictionary(kind => kind, layers);
        var placed = found.Select(entry => (entry.Module, entry.Format, Layer: byKind[entry.Format.KeyPrefix].Find(entry.Module.Name)))
            .ToList();
        var missing = placed.Where(entry => entry.Layer is null).Select(entry => (entry.Module, entry.Format)).ToList();
        AdapterFileFaults.CheckFit(file, placed.Count, missing, byKind.Values.First());
        var view = new AdapterFileView(file);
        using var seen = new WeightFile(view);
        var order = byKind.Values.SelectMany(kind => kind.All.Index()).ToDictionary(entry => entry.Item, entry => entry.Index);
        return new AdapterFileContents(
            [.. from entry in placed
                where entry.Layer is not null
                orderby order[entry.Layer]
                select (entry.Layer, OptionsFor(seen, entry.Module, entry.Format, entry.Layer, view.Add(entry.Module, entry.Layer)))],
            ReportOf(file, names, missing.Select(entry => entry.Module)));
    }

    /// <summary>What to say of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="names">Its names.</param>
    /// <param name="leftOut">Adapters that are not used.</param>
    public static AdapterFileReport ReportOf(
        WeightFile file, AdapterFileNames names, IEnumerable<AdapterFileModule> leftOut) => new(file.Path)
    {
        Namings = [.. names.Modules.GroupBy(module => module.Naming.Name).OrderByDescending(group => group.Count())
            .Select(group => group.Key)],
        LeftOut = [.. leftOut.Select(module => module.Label)],
        Embeddings = BundledEmbeddings.Words(names.Embeddings),
        AdapterCount = names.Modules.Count,
    };

    private static List<(AdapterFileModule Module, AdapterFormat Format)> Kinds(
        WeightFile file, AdapterFileNames names, AdapterFormats formats)
    {
        var found = new List<(AdapterFileModule Module, AdapterFormat Format)>();
        List<string> strange = [.. names.Strange];
        foreach (var module in names.Modules)
        {
            if (formats.For(module.Name.Kind, [.. module.Tensors.Keys]) is { } format) found.Add((module, format));
            else strange.AddRange(Strange(module, formats));
        }

        return found.Count > 0 && strange.Count == 0 ? found
            : throw AdapterFileFaults.NotThis(file, formats, [.. found.Select(entry => entry.Format.Name).Distinct()], strange, names);
    }

    /// <summary>The names of a module that no kind knows; all of them, when it mixes kinds.</summary>
    private static IEnumerable<string> Strange(AdapterFileModule module, AdapterFormats formats)
    {
        var unknown = module.Tensors.Where(tensor => !formats.All.Any(format => format.IsKnown(tensor.Key)))
            .Select(tensor => tensor.Value.Name).ToList();
        return unknown.Count > 0 ? unknown : module.Tensors.Values.Select(info => info.Name);
    }

    private static AdapterOptions OptionsFor(
        WeightFile view, AdapterFileModule module, AdapterFormat format, AdaptedLayer layer,
        IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var own = new AdapterModule(view, module.Label, tensors);
        if (!format.Required.All(tensors.ContainsKey))
            throw own.Fault($"has only {string.Join(", ", module.TensorsInFile)}",
                $"A {format.Name} needs {string.Join(", ", format.Required)}" +
                (module.Naming == AdapterNamings.SdScripts ? "" : $" (or what {module.Naming.Name} calls these)") +
                ": the file is incomplete, save it again.");
        AdapterFileFaults.CheckCore(own, layer);
        return format.OptionsFor(own);
    }
}
