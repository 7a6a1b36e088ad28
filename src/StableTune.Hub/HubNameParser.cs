using System.Text.RegularExpressions;

namespace StableTune.Hub;

/// <summary>The grammar of <see cref="HubName"/>.</summary>
internal static partial class HubNameParser
{
    public const string DefaultRevision = "main";
    private const int MaxPart = 96;            // the hub's own limit for names
    private const int MaxRevision = 200;

    private static readonly string[] WeightEndings = [".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".gguf", ".json", ".yaml"];

    public static bool LooksLikePath(string text)
    {
        if (text.Length == 0 || text[0] is '.' or '/' or '\\' or '~' or '$' or '%') return true;
        if (text.Contains('\\', StringComparison.Ordinal) || text[^1] == '/') return true;
        if (text.Length > 1 && text[1] == ':' && char.IsAsciiLetter(text[0]) && (text.Length == 2 || text[2] is '/')) return true;
        var pieces = text.Split('/');
        return pieces.Length == 1 || (pieces.Length == 2
            && WeightEndings.Any(e => pieces[1].EndsWith(e, StringComparison.OrdinalIgnoreCase)));
    }

    public static string Word(HubRepositoryType type) => type switch
    {
        HubRepositoryType.Dataset => "dataset",
        HubRepositoryType.Space => "space",
        _ => "model",
    };

    /// <summary>The name, or what is wrong with the text.</summary>
    public static (HubName? Name, string Problem) Read(string text)
    {
        if (text.Trim().Length == 0) return Fault("it is empty; write owner/name");
        if (WebAddress().IsMatch(text)) return Fault($"it is a web address; write {Suggestion(text)}");
        if (LooksLikePath(text))
            return Fault("it reads as a path on this disk; names on the hub are owner/name, or owner/name/file.safetensors");
        var (address, revision, word) = Split(text);
        var pieces = address.Split('/', 3);
        if (pieces.Length < 2) return Fault("it has no owner; write owner/name");
        if (PartProblem("owner", pieces[0]) is { } owner) return Fault(owner);
        if (PartProblem("name", pieces[1]) is { } name) return Fault(name);
        var path = pieces.Length == 3 ? pieces[2] : null;
        if (path is not null && HubPath.Problem(path) is { } fault) return Fault(fault);
        if (revision is not null && RevisionProblem(revision) is { } wrong) return Fault(wrong);
        return TypeOf(word) is { } type
            ? (new HubName(pieces[0], pieces[1], path, revision, type), "")
            : Fault($"the repository type \"{word}\" is unknown; there are model, dataset and space");
    }

    /// <summary>What is wrong with a branch, tag or commit; null when nothing is. It becomes a path in the cache, so git's rules are not
    /// enough.</summary>
    public static string? RevisionProblem(string revision)
    {
        if (revision.Length == 0) return "the revision behind ':' or '@' is empty";
        if (revision.Length > MaxRevision) return $"the revision has {revision.Length} characters, at most {MaxRevision} are possible";
        if (!RevisionLetters().IsMatch(revision)) return "the revision holds characters other than letters, digits, and . _ - + / ";
        foreach (var piece in revision.Split('/'))
        {
            if (piece.Length == 0) return "the revision has an empty piece between two '/'";
            if (piece[0] is '.' or '-' || piece.EndsWith('.') || piece.Contains("..", StringComparison.Ordinal))
                return $"\"{piece}\" in the revision begins or ends with '.' or '-', or holds \"..\"";
            if (HubPath.SegmentProblem(piece) is not null) return $"\"{piece}\" in the revision is a reserved name";
        }

        return null;
    }

    /// <summary>The address, the revision and the word for the type. A file's name may hold '@', a repository's not: there it begins a
    /// revision.</summary>
    private static (string Address, string? Revision, string? Type) Split(string text)
    {
        var parts = text.Split(':', 3);
        if (parts.Length > 1) return (parts[0], parts[1], parts.Length > 2 ? parts[2] : null);
        var name = text.IndexOf('/', StringComparison.Ordinal);
        var at = text.IndexOf('@', name);
        var file = text.IndexOf('/', name + 1);
        return at < 0 || (file >= 0 && file < at) ? (text, null, null) : (text[..at], text[(at + 1)..], null);
    }

    private static HubRepositoryType? TypeOf(string? word) => word switch
    {
        null or "model" or "models" => HubRepositoryType.Model,
        "dataset" or "datasets" => HubRepositoryType.Dataset,
        "space" or "spaces" => HubRepositoryType.Space,
        _ => null,
    };

    /// <summary>What the hub itself demands of owners and names.</summary>
    private static string? PartProblem(string which, string part)
    {
        if (part.Length == 0) return $"the {which} is empty";
        if (part.Length > MaxPart) return $"the {which} has {part.Length} characters, the hub allows {MaxPart}";
        var odd = part.FirstOrDefault(letter => !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.'));
        if (odd != default) return $"the {which} \"{part}\" holds {Show(odd)}; the hub allows letters, digits, '-', '_' and '.'";
        if (part[0] is '-' or '.' || part[^1] is '-' or '.') return $"the {which} \"{part}\" begins or ends with '-' or '.'";
        if (part.Contains("--", StringComparison.Ordinal) || part.Contains("..", StringComparison.Ordinal))
            return $"the {which} \"{part}\" holds \"--\" or \"..\"";
        if (part.EndsWith(".git", StringComparison.OrdinalIgnoreCase)) return $"the {which} \"{part}\" ends with \".git\"";
        return HubPath.SegmentProblem(part);
    }

    private static string Show(char letter) => char.IsControl(letter) ? $"the character U+{(int)letter:X4}" : $"'{letter}'";

    /// <summary>The name that stands for a page of the hub, as people copy it from their browser.</summary>
    private static string Suggestion(string address)
    {
        if (Page().Match(address) is not { Success: true } page) return "owner/name, or owner/name/file.safetensors";
        var path = page.Groups["path"].Success ? "/" + Uri.UnescapeDataString(page.Groups["path"].Value) : "";
        var revision = page.Groups["revision"] is { Success: true, Value: not DefaultRevision } other ? ":" + other.Value : "";
        return page.Groups["repository"].Value + path + revision;
    }

    private static (HubName?, string) Fault(string problem) => (null, problem);

    [GeneratedRegex(
        @"^https?://[^/]+/(?<repository>[\w.-]+/[\w.-]+)(/(blob|resolve|tree|raw)/(?<revision>[^/?#]+)(/(?<path>[^?#]+))?)?/?([?#].*)?\z")]
    private static partial Regex Page();

    [GeneratedRegex(@"^[a-zA-Z][a-zA-Z0-9+.-]*://")]
    private static partial Regex WebAddress();

    [GeneratedRegex(@"^[\p{L}\p{Nd}._+/-]+\z")]
    private static partial Regex RevisionLetters();
}
