using StableTune.Formats;

namespace StableTune.Configuration;

/// <summary>A configuration file of a run: all sections are one flat set of options, but for the data sets.</summary>
internal static class RunFile
{
    private const string DatasetsKey = "datasets";

    /// <summary>Opens a file; its ending may be left out.</summary>
    /// <param name="path">The file, <c>.toml</c> or <c>.json</c>.</param>
    /// <exception cref="InvalidFileException">The file is missing, or its notation is wrong.</exception>
    public static TomlDocument Open(string path) =>
        TomlDocument.Read(!File.Exists(path) && Path.GetExtension(path).Length == 0 ? path + ".toml" : path);

    /// <summary>Takes the values of a file.</summary>
    /// <param name="document">The file.</param>
    /// <param name="values">Takes the values, and what is wrong.</param>
    /// <param name="script">The program that it is meant for.</param>
    /// <returns>The data sets that it holds itself; null for none.</returns>
    public static TomlDocument? Read(TomlDocument document, OptionValues values, RunScript script)
    {
        var seen = new Dictionary<string, TomlPosition>(StringComparer.Ordinal);
        var hasDatasets = false;
        foreach (var entry in document.Root)
        {
            if (entry.Key == DatasetsKey) hasDatasets = true;
            else if (entry.Value.AsTable is { } section)
                foreach (var inner in section) Take(document, inner, values, script, seen);
            else Take(document, entry, values, script, seen);
        }

        return hasDatasets ? document.Only(DatasetsKey) : null;
    }

    private static void Take(
        TomlDocument document, TomlEntry entry, OptionValues values, RunScript script, Dictionary<string, TomlPosition> seen)
    {
        if (entry.Value.Kind == TomlKind.Null) return;
        var (name, origin) = (entry.Key.Replace('-', '_'), $"{document.Path}: {entry.Position}");
        if (OptionTable.Find(name) is not { } option)
        {
            values.Problems.Add(OptionTable.Unknown(origin, name, ReferenceStyle.SdScripts, OptionTable.Rows.Select(row => row.Name),
                entry.Value.AsText ?? entry.Value.ToString()));
            return;
        }

        if (!seen.TryAdd(option.Name, entry.Position))
        {
            values.Problems.Add(new OptionProblem($"{origin}: {name}", entry.Value.ToString(),
                $"it is given a second time (first at {seen[option.Name]}), and sections are for the reader only", "keep one of them"));
            return;
        }

        if (name is "config_file" or "output_config")
            values.Problems.Add(new OptionProblem($"{origin}: {name}", entry.Value.ToString(), "it belongs on the command line",
                "take it out of the file"));
        else if (option.Kind.Read(entry.Value) is { } value)
        {
            var given = new OptionValue(option, value, origin);
            // What another program does with it does not matter while it says what holds anyhow.
            if (option.Scripts.HasFlag(script) || option.IsDefault(value)) values.Set(given);
            else values.Problems.Add(OfAnother(given, script));
        }
        else
        {
            values.Problems.Add(new OptionProblem($"{origin}: {name}", entry.Value.AsText ?? entry.Value.ToString(),
                $"it must be {option.Kind.Name}, and is {entry.Value.Describe()}", "write it so"));
        }
    }

    /// <summary>A problem of an option that another program knows.</summary>
    public static OptionProblem OfAnother(OptionValue value, RunScript script) => value.Problem(
        $"{OptionTable.CommandOf(script)} does not know it", $"leave it out, or use {OptionTable.CommandOf(value.Option.Scripts)}");
}
