using System.Globalization;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Writes an inspection for people.</summary>
internal sealed class InspectionText(TextWriter writer)
{
    private const int ValueLength = 100, KeyWidth = 30;

    public void Write(ModelInspection inspection)
    {
        Line(0, Plain(inspection.Path));
        Line(2, inspection.Summary);
        WriteParts(inspection);
        WriteFiles(inspection);
        foreach (var (title, entries) in MetadataGroups.Of(inspection.Metadata))
        {
            Line(0, "");
            Line(0, $"Metadata: {title} ({entries.Count})");
            foreach (var (key, value) in entries) Line(2, $"{Plain(key).PadRight(KeyWidth)} {Short(value)}");
        }

        WriteList("Notes", inspection.Notes);
        WriteList("Problems", inspection.Problems);
    }

    private void WriteParts(ModelInspection inspection)
    {
        if (inspection.Parts.Count == 0) return;
        Line(0, "");
        Line(0, $"{"Part",-16} {"parameters",15} {"bytes",10}  stored as");
        foreach (var part in inspection.Parts) WritePart(part);
        if (inspection.Parts.Count > 1)
            Line(0, string.Create(CultureInfo.InvariantCulture,
            $"{"together",-16} {inspection.Parameters,15:N0} {Size(inspection.Parts.Sum(part => part.Bytes)),10}"));
        if (!inspection.Parts.Any(part => part.Architecture is not null)) return;
        Line(0, "");
        foreach (var part in inspection.Parts)
            if (part.Architecture is { } words) Line(2, $"{part.Name}: {words}");
    }

    private void WritePart(InspectedPart part)
    {
        var types = string.Join(", ", part.Precisions.Select(precision => string.Create(CultureInfo.InvariantCulture,
            $"{precision.Type.Name()} ({precision.Tensors:N0} "
                + $"tensor{(precision.Tensors == 1 ? "" : "s")}{(part.Precisions.Count > 1 ? ", " + Size(precision.Bytes) : "")})")));
        Line(0, string.Create(CultureInfo.InvariantCulture, $"  {part.Name,-14} {part.Parameters,15:N0} {Size(part.Bytes),10}  {types}"));
    }

    private void WriteFiles(ModelInspection inspection)
    {
        if (inspection.Files.Count == 0) return;
        // Within a folder the files of several parts have the same name.
        var isFolder = Directory.Exists(inspection.Path);
        Line(0, "");
        Line(0, "Files");
        foreach (var file in inspection.Files)
        {
            Line(2, $"{Plain(isFolder ? Path.GetRelativePath(inspection.Path, file.Path) : Path.GetFileName(file.Path))}, "
                + $"{Size(file.Bytes)}");
            if (file.Hashes is not { } hashes) continue;
            Line(4, $"{"sha256",-22} {hashes.Sha256}");
            Line(4, $"{"AutoV2",-22} {hashes.AutoV2}");
            Line(4, $"{"old hash",-22} {hashes.Old}");
            foreach (var carried in file.Carried) Line(4, $"{carried.Key,-22} {carried.Computed}{Verdict(carried)}");
        }
    }

    private static string Verdict(CarriedHash hash) => hash.Matches switch
    {
        null => " (not in the file)",
        true => " (as the file says)",
        false => $" (the file says {Short(hash.Stored!)}: it was changed after it was saved, or hashed by other rules)",
    };

    private void WriteList(string title, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0) return;
        Line(0, "");
        Line(0, title);
        foreach (var line in lines) Line(2, "- " + line);
    }

    private void Line(int indent, string text)
    {
        if (text.Length > 0) writer.Write(new string(' ', indent));
        writer.WriteLine(text);
    }

    /// <summary>Bytes as people say them, in powers of 1000.</summary>
    private static string Size(long bytes) => bytes switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:F1} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F2} GB"),
    };

    private static string Short(string value)
    {
        var plain = Plain(value.Length <= ValueLength ? value : value[..ValueLength]);
        return value.Length <= ValueLength ? plain
            : string.Create(CultureInfo.InvariantCulture, $"{plain}... ({value.Length:N0} characters)");
    }

    /// <summary>Without line ends and control characters, which in a terminal could do more than show something.</summary>
    private static string Plain(string text) => string.Create(text.Length, text, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++) span[i] = char.IsControl(source[i]) ? ' ' : source[i];
    });
}
