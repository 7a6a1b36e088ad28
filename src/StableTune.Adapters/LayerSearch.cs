using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>Finds the layers of a model that options adapt, and those that a file may name.</summary>
internal static partial class LayerSearch
{
    private const int MostPaths = 3;

    /// <summary>The layers that options adapt, in the reference's order.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work, or fit no layer.</exception>
    /// <exception cref="InvalidOperationException">Two layers would have the same name in files.</exception>
    public static IReadOnlyList<AdaptedLayer> Selected(AdapterHosts hosts, AdapterOptions options)
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        AdapterHost[] parts = [.. hosts.Named().Where(host => (options.Parts & host.Part) != 0)];
        AdaptedLayer[] below = [.. parts.SelectMany(host => host.Layers(options.KeyPrefix)).Where(options.Layers.Reaches)];
        AdaptedLayer[] taken = [.. below.Where(options.Takes)];
        AdaptedLayer[] picked = [.. taken.Where(layer => options.Layers.Picks(layer.FullPath)
            && !(layer.Block is { } block && options.ExcludedBlocks.Contains(block)))];
        if (picked.Length == 0) throw new InvalidOptionsException(NothingFits(hosts, options, parts, below, taken));
        CheckNames(picked);
        return picked;
    }

    /// <summary>
    /// Every layer of a model that could have an adapter, by the names it could have. Files are matched with this list, because
    /// a name alone cannot be turned back into a path. Two paths of the same name would make it ambiguous, and are an error.
    /// </summary>
    /// <param name="hosts">The model.</param>
    /// <param name="kind">What the names of the kind begin with.</param>
    /// <exception cref="InvalidOperationException">Two layers have the same name.</exception>
    public static AdapterLayers Named(AdapterHosts hosts, string kind) =>
        new(hosts.Named().SelectMany(host => host.Layers(kind)));

    private static void CheckNames(IEnumerable<AdaptedLayer> layers)
    {
        var named = new Dictionary<string, AdaptedLayer>(StringComparer.Ordinal);
        foreach (var layer in layers)
            if (!named.TryAdd(layer.Name, layer)) throw SameName(named[layer.Name], layer, layer.Name);
    }

    /// <summary>Two layers share a name in files.</summary>
    public static InvalidOperationException SameName(AdaptedLayer first, AdaptedLayer second, string name) =>
        new($"The layers '{first.Path}' and '{second.Path}' have the same name in files, '{name}'. " +
            "Rename one of the modules, or leave one of them out by LayerSelection.Exclude.");

    /// <summary>Which of the options leaves no layer.</summary>
    private static IEnumerable<OptionProblem> NothingFits(
        AdapterHosts hosts, AdapterOptions options, AdapterHost[] parts, AdaptedLayer[] below, AdaptedLayer[] taken)
    {
        var selection = options.Layers;
        var kind = options.GetType().Name;
        if (parts.Length == 0)
            return [new($"{kind}.{nameof(options.Parts)}", options.Parts, "the model has no such part",
                $"it has {Join(hosts.Named().Select(host => host.Part.ToString()))}")];
        if (below.Length == 0)
            return parts.Select(host => Below(host, selection)).DistinctBy(problem => problem.Option);
        if (taken.Length == 0)
            return [new($"{kind}.{nameof(options.Layers)}", $"{below.Length} layer(s)", "the kind adapts none of them",
                $"there are {Join(below.Select(layer => layer.ToString()))}: choose other classes, or convolutions with kernels larger " +
                "than 1x1 by LayerSelection.Convolutions")];
        var paths = taken.Select(layer => layer.FullPath).ToList();
        return !paths.Exists(selection.IsIncluded)
            ? [new($"{nameof(LayerSelection)}.{nameof(selection.Include)}", string.Join(", ", selection.Include),
                $"it fits none of {paths.Count} layers",
                $"the nearest are {Join(selection.Include.SelectMany(expression => Nearest(expression, paths)).Distinct())}")]
            : [new($"{nameof(LayerSelection)}.{nameof(selection.Exclude)}", string.Join(", ", selection.Exclude), "it leaves no layer",
                $"it takes away for instance {Join(paths.Where(selection.IsIncluded))}")];
    }

    private static OptionProblem Below(AdapterHost host, LayerSelection selection)
    {
        var classes = selection.ClassesOf(host.Part);
        var paths = host.Layers("").Select(layer => layer.FullPath).ToList();
        var option = host.Part == AdapterParts.UNet ? nameof(selection.UNetClasses) : nameof(selection.TextEncoderClasses);
        return new($"{nameof(LayerSelection)}.{option}",
            string.Join(", ", classes), "no layer lies below a module of such a class",
            paths.Count == 0 ? "the model has no layers that adapters can change: linear layers, convolutions, norms"
            : $"give classes of modules above layers like {Join(classes.SelectMany(name => Nearest(name, paths)).Distinct())}, " +
                "or none for all layers");
    }

    /// <summary>
    /// The paths that have the most words of an expression; a word that no path has counts as the name that is nearest to it.
    /// </summary>
    private static IEnumerable<string> Nearest(string expression, IReadOnlyList<string> paths)
    {
        var names = paths.SelectMany(path => path.Split('.')).ToHashSet(StringComparer.Ordinal);
        var words = Word().Matches(expression).Select(word => names.Contains(word.Value) ? word.Value : NearName.Of(word.Value, names))
            .OfType<string>().ToHashSet(StringComparer.Ordinal);
        return paths.OrderByDescending(path => path.Split('.').Count(words.Contains)).Take(MostPaths);
    }

    private static string Join(IEnumerable<string> names)
    {
        var shown = names.Take(MostPaths + 1).ToList();
        return string.Join(", ", shown.Take(MostPaths)) + (shown.Count > MostPaths ? " ..." : "");
    }

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Word();
}
