using System.Text;
using System.Text.Json.Nodes;

namespace StableTune.Data;

/// <summary>
/// Metadata in a table, as other tools lay it beside images: the names of the columns at the top, values in quotes where that is needed
/// (RFC 4180).
/// </summary>
internal static class MetadataTable
{
    /// <summary>The extensions of tables.</summary>
    internal static readonly string[] Extensions = [".csv", ".tsv"];

    /// <summary>The images by key, in the order of the file.</summary>
    internal static OrderedDictionary<string, ImageMetadata> Read(string path)
    {
        var rows = Rows(JsonFile.ReadText(path), path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',');
        if (rows.Count == 0) throw new InvalidFileException(path, "the table is empty.", MetadataFile.Remedy);
        string[] columns = [.. rows[0].Values.Select(name => name.Trim())];
        var image = Array.FindIndex(columns, MetadataFile.ImageNames.Contains);
        if (image < 0)
            throw new InvalidFileException(path, $"no column is called file_name; there are {string.Join(", ", columns)}.",
                "Name the columns in the first line, for instance file_name,text.");
        var (images, faults) = (new OrderedDictionary<string, ImageMetadata>(StringComparer.Ordinal), new List<InvalidFileException>());
        foreach (var (line, values) in rows.Skip(1))
        {
            if (values.Length != columns.Length)
                faults.Add(new(path, $"line {line} has {values.Length} values for {columns.Length} columns.",
                    "Put values with commas or line ends into double quotes."));
            else if (values[image].Length == 0 || !images.TryAdd(values[image], Image(columns, values, image)))
                faults.Add(new(path,
                    $"line {line}: the image \"{values[image]}\" is {(values[image].Length == 0 ? "not named" : "there twice")}.",
                    MetadataFile.Remedy));
        }

        MetadataFile.Throw(path, faults);
        return images;
    }

    private static ImageMetadata Image(string[] columns, string[] values, int image)
    {
        var others = new OrderedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        var result = new ImageMetadata { Others = others };
        for (var i = 0; i < columns.Length; i++)
        {
            if (i == image) continue;
            if (columns[i] == "caption") result = result with { Caption = values[i] };
            else if (columns[i] == "tags") result = result with { Tags = values[i] };
            else others[columns[i]] = values[i];
        }

        return MetadataFile.WithText(result);
    }

    /// <summary>The rows that are not empty, with the line in which each begins.</summary>
    private static List<(int Line, string[] Values)> Rows(string text, char separator)
    {
        var (rows, values, value) = (new List<(int, string[])>(), new List<string>(), new StringBuilder());
        var (line, first, quoted) = (1, 1, false);
        for (var i = 0; i < text.Length; i++)
        {
            var unit = text[i];
            if (unit == '\n') line++;
            if (quoted && unit == '"' && i + 1 < text.Length && text[i + 1] == '"') value.Append(text[++i]);
            else if (unit == '"' && (quoted || value.Length == 0)) quoted = !quoted;
            else if (quoted || (unit != separator && unit != '\n')) value.Append(unit);
            else if (unit == separator) EndValue();
            else EndRow();
        }

        if (value.Length > 0 || values.Count > 0) EndRow();
        return rows;

        void EndValue()
        {
            values.Add(value.ToString());
            value.Clear();
        }

        void EndRow()
        {
            if (value.Length > 0 && value[^1] == '\r') value.Length--;
            EndValue();
            if (values.Any(one => one.Length > 0)) rows.Add((first, [.. values]));
            values.Clear();
            first = line;
        }
    }
}
