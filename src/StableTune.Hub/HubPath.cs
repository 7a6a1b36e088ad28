using System.Text;

namespace StableTune.Hub;

/// <summary>Paths inside a repository, "folder/file.json": what may be asked for, and what a server may make us write.</summary>
internal static class HubPath
{
    private const int MaxLength = 1024;
    private const int MaxSegmentBytes = 240;   // file systems allow 255; ".incomplete" and ".lock" need room

    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
        "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
    };

    /// <summary>Whether a path would lead out of the folder it is put into. No honest repository holds such a path.</summary>
    public static bool Escapes(string path) =>
        path.Length == 0 || path[0] is '/' or '\\' || path.Contains('\0', StringComparison.Ordinal)
        || (path.Length > 1 && path[1] == ':' && char.IsAsciiLetter(path[0]))
        || path.Split('/', '\\').Any(segment => segment is ".." or ".");

    /// <summary>Why a path cannot be a file's below a folder, on any system: lower case, without a full stop; null when it can.</summary>
    public static string? Problem(string path)
    {
        if (path.Length == 0) return "the path is empty";
        if (path.Length > MaxLength) return $"the path has {path.Length} characters, at most {MaxLength} are possible";
        if (path[0] == '/') return "the path is absolute";
        return path.Split('/').Select(SegmentProblem).FirstOrDefault(problem => problem is not null);
    }

    /// <summary>Why a piece of a path between two '/' cannot be a name; null when it can.</summary>
    public static string? SegmentProblem(string segment)
    {
        if (segment.Length == 0) return "the path has an empty piece (\"//\", or '/' at its end)";
        if (segment is "." or "..") return $"the path steps through \"{segment}\"";
        foreach (var letter in segment)
        {
            if (char.IsControl(letter)) return $"the path holds the control character U+{(int)letter:X4}";
            if (letter is '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|') return $"the path holds '{letter}'";
        }

        if (segment[^1] is ' ' or '.') return $"\"{segment}\" ends with a space or a full stop";
        var bytes = Encoding.UTF8.GetByteCount(segment);
        if (bytes > MaxSegmentBytes) return $"a name in the path has {bytes} bytes, at most {MaxSegmentBytes} are possible";
        return Reserved.Contains(segment.Split('.')[0].TrimEnd()) ? $"\"{segment}\" is a reserved name on Windows" : null;
    }

    /// <summary>A path below a folder, as the system spells it. The last net: refuses what would not lie inside.</summary>
    /// <exception cref="InvalidOperationException">The path leads out of the folder.</exception>
    public static string Below(string folder, string path)
    {
        var root = Path.GetFullPath(folder);
        var full = Path.GetFullPath(Path.Combine(root, path.Replace('/', Path.DirectorySeparatorChar)));
        return full.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? full
            : throw new InvalidOperationException($"\"{path}\" leads out of {root}");
    }

    /// <summary>A path as it stands in an address: every piece escaped, the '/' kept.</summary>
    public static string Escape(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
}
