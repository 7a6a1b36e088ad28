using StableTune.Data;
using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Data sets from a configuration file of sd-scripts (TOML, or JSON of the same shape): [general], [[datasets]], [[datasets.subsets]].
/// An option is looked up in the subset, then the data set, then [general], then in what the caller gives, then it has its default.
/// </summary>
public static class DatasetConfiguration
{
    private static readonly string[] s_topLevel = ["general", "datasets"];

    /// <summary>Reads a file. Reads no images yet: <see cref="DatasetPlan.Inspect"/> does.</summary>
    /// <param name="path">The file, <c>.toml</c> or <c>.json</c>. Relative paths in it are looked for beside it, then in the current
    /// folder.</param>
    /// <param name="datasets">What data sets have where the file says nothing; null for the defaults.</param>
    /// <param name="subsets">What subsets have where the file says nothing; null for the defaults.</param>
    /// <returns>The first data set, with the others in <see cref="DatasetPlan.Others"/>.</returns>
    /// <exception cref="InvalidFileException">The file is missing, of another kind, or something in it is wrong: with line and column,
    /// all faults at once.</exception>
    public static DatasetPlan Read(string path, DatasetOptions? datasets = null, SubsetOptions? subsets = null) =>
        Read(TomlDocument.Read(path), datasets, subsets);

    /// <summary>Makes a data set of a document that was read already.</summary>
    /// <param name="document">The document.</param>
    /// <param name="datasets">As in the other form.</param>
    /// <param name="subsets">As in the other form.</param>
    /// <exception cref="InvalidFileException">Something in it is wrong.</exception>
    public static DatasetPlan Read(TomlDocument document, DatasetOptions? datasets = null, SubsetOptions? subsets = null)
    {
        ArgumentNullException.ThrowIfNull(document);
        var faults = new List<Exception>();
        ConfigurationKeys.Check(document, document.Root, s_topLevel, "the file's outermost level", faults);
        var general = Tables(document, document.Root, "general", faults, single: true).FirstOrDefault() ?? [];
        ConfigurationKeys.Check(document, general, ConfigurationKeys.General, "[general]", faults);
        var reader = new DatasetReader(document, general, datasets ?? new(), subsets ?? new(), faults);
        var plans = Tables(document, document.Root, "datasets", faults).Select(reader.Read).ToList();
        if (plans.Count == 0 && faults.Count == 0)
            faults.Add(new InvalidFileException(
                document.Path, "it describes no data set.", "Add a [[datasets]] with a [[datasets.subsets]] that names an image_dir."));
        Throw(document.Path, faults);
        return plans[0] with { Others = [.. plans.Skip(1)] };
    }

    /// <summary>Writes a plan as a configuration file; see <see cref="ToToml"/>.</summary>
    /// <param name="path">The file, complete or absent afterwards; its folder is created when missing.</param>
    /// <param name="plan">What the builder made, or what was read.</param>
    /// <exception cref="InvalidOptionsException">The plan has something that such a file cannot say.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, DatasetPlan plan) => AtomicFile.WriteText(path, ToToml(plan));

    /// <summary>
    /// The text of a configuration file that <see cref="Read(string, DatasetOptions, SubsetOptions)"/> reads as this plan. What has its
    /// default is left out;
    /// folders of DreamBooth become subsets with the repeats and class tokens that their names say.
    /// </summary>
    /// <param name="plan">What the builder made, or what was read.</param>
    /// <exception cref="InvalidOptionsException">The plan has something that such a file cannot say: a host's own source, bucketing,
    /// codec or caption steps, the weight of regularisation images.</exception>
    public static string ToToml(DatasetPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var writer = new DatasetWriter();
        var root = new TomlTable { ["datasets"] = new TomlArray(plan.All.Select(writer.Write)) };
        InvalidOptionsException.ThrowIfAny(writer.Problems);
        return TomlWriter.Write(root);
    }

    /// <summary>The tables of a key, noting a value of another kind.</summary>
    internal static List<TomlTable> Tables(TomlDocument document, TomlTable table, string key, List<Exception> faults, bool single = false)
    {
        if (!table.TryGet(key, out var entry) || entry.Value.Kind == TomlKind.Null) return [];
        if (single && entry.Value.AsTable is { } one) return [one];
        if (!single && entry.Value.AsArray is { } list && list.All(value => value.Kind == TomlKind.Table))
            return [.. list.Select(value => value.AsTable!)];
        faults.Add(document.Fault(entry.Value.Position,
            $"\"{key}\" is {entry.Value.Describe()}, not {(single ? "a table" : "a list of tables")}.",
            single ? $"Begin it with [{key}]." : $"Begin each with [[{(key == "subsets" ? "datasets.subsets" : key)}]]."));
        return [];
    }

    private static void Throw(string path, List<Exception> faults)
    {
        faults = [.. faults.DistinctBy(fault => fault.Message)];                // what stands in [general] is read for every subset
        if (faults.Count == 0) return;
        if (faults.Count == 1) throw faults[0];
        throw new InvalidFileException(
            path, $"{faults.Count} faults:{string.Concat(faults.Select(fault => $"\n  - {fault.Message}"))}\n", "Correct them.", faults[0]);
    }
}
