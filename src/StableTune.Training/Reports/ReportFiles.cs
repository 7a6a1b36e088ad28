using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace StableTune.Training;

/// <summary>The part of a report with the files that were written: their sizes, and their checksums as web interfaces and hubs show
/// them.</summary>
internal sealed class ReportFiles(RunRecord record, string folder, StringBuilder page)
{
    public void Write()
    {
        var files = record.Files.ToList();
        if (files.Count == 0) return;
        page.Append("<section><h2>Files</h2>\n<table class=\"files\">\n")
            .Append("<thead><tr><th>file</th><th>step</th><th>size</th><th>SHA-256</th></tr></thead>\n<tbody>\n");
        foreach (var file in files)
        {
            var (size, hash) = Measured(file.Path);
            page.Append("<tr><td>").Append(ReportPage.Escaped(Path.GetRelativePath(folder, file.Path))).Append("</td><td>")
                .Append(CultureInfo.InvariantCulture, $"{file.Step}{Note(file.Reason)}").Append("</td><td>")
                .Append(ReportPage.Escaped(size)).Append("</td><td><code>").Append(hash).Append("</code></td></tr>\n");
        }

        page.Append("</tbody></table></section>\n");
    }

    private static string Note(SaveReason reason) => reason switch
    {
        SaveReason.Best => ", the best",
        SaveReason.Interrupted => ", interrupted",
        SaveReason.End => ", the end",
        _ => "",
    };

    private static (string Size, string Hash) Measured(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                var files = new DirectoryInfo(path).GetFiles("*", SearchOption.AllDirectories);
                return ($"{ReportFacts.Bytes(files.Sum(file => file.Length))} in {files.Length} files", "");
            }

            if (!File.Exists(path)) return ("removed since", "");
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
            return (ReportFacts.Bytes(stream.Length), Convert.ToHexStringLower(SHA256.HashData(stream)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ($"cannot be read: {e.Message}", "");
        }
    }
}
