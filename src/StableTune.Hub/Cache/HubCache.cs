namespace StableTune.Hub;

/// <summary>
/// The cache on disk as all programs for the hub share it:
/// <c>models--owner--name/{refs/&lt;revision&gt;, blobs/&lt;id&gt;, snapshots/&lt;commit&gt;/&lt;path&gt;}</c> and <c>.locks</c> beside
/// the repositories.
/// </summary>
internal sealed class HubCache(string folder)
{
    private const long MaxIndexBytes = 16 << 20;

    public string Folder { get; } = folder;

    public string Repository(HubName name) => Path.Combine(Folder, FolderName(name));

    public string Blob(HubName name, string id) => Path.Combine(Repository(name), "blobs", id);

    public string Lock(HubName name, string id) => Path.Combine(Folder, ".locks", FolderName(name), id + ".lock");

    public string Snapshot(HubName name, string commit) => Path.Combine(Repository(name), "snapshots", commit);

    /// <summary>Whether a text is a commit, and not a branch or tag: git's 40 (or 64) hexadecimal digits.</summary>
    public static bool IsCommit(string text) => text.Length is 40 or 64 && text.All(char.IsAsciiHexDigitLower);

    /// <summary>The commit that the cache holds for a revision; null when it holds none.</summary>
    /// <exception cref="InvalidFileException">The file of the revision holds no commit.</exception>
    public string? FindCommit(HubName name, string revision)
    {
        if (IsCommit(revision)) return Directory.Exists(Snapshot(name, revision)) ? revision : null;
        if (ReadRef(name, revision) is { } commit) return commit;
        return IsShortCommit(revision) ? ByPrefix(name, revision) : revision == HubNameParser.DefaultRevision ? Newest(name) : null;
    }

    /// <summary>Notes which commit a branch or tag stands for.</summary>
    public void WriteRef(HubName name, string revision, string commit)
    {
        if (IsCommit(revision)) return;
        var path = RefPath(name, revision);
        if (!File.Exists(path) || File.ReadAllText(path).Trim() != commit) AtomicFile.WriteText(path, commit);
    }

    /// <summary>The files of a snapshot that can be read, with '/' between the pieces of their paths, in order. A link without its file
    /// is none.</summary>
    public IReadOnlyList<string> Files(HubName name, string commit)
    {
        var snapshot = Snapshot(name, commit);
        if (!Directory.Exists(snapshot)) return [];
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, MaxRecursionDepth = 16 };
        return Directory.EnumerateFiles(snapshot, "*", options).Where(path => SnapshotFile.Length(path) is not null)
            .Select(path => Path.GetRelativePath(snapshot, path).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(path => !IsTemporary(path)).Order(StringComparer.Ordinal).ToArray();
    }

    /// <summary>The text of a model's index.</summary>
    /// <exception cref="InvalidFileException">The file is far too large for one.</exception>
    public static string ReadIndex(string path) => new FileInfo(path).Length <= MaxIndexBytes
        ? File.ReadAllText(path)
        : throw new InvalidFileException(
            path, "the file has more than 16 MiB, an index has some hundred bytes.", "Delete it, and resolve the name again.");

    /// <summary>Whether a file is known not to exist in a commit: programs for the hub leave an empty file as the mark.</summary>
    public bool IsKnownAbsent(HubName name, string commit, string path) => File.Exists(AbsenceMark(name, commit, path));

    /// <summary>Remembers that a file does not exist in a commit, which never changes.</summary>
    public void MarkAbsent(HubName name, string commit, string path)
    {
        var mark = AbsenceMark(name, commit, path);
        if (!File.Exists(mark)) AtomicFile.WriteText(mark, "");
    }

    private string AbsenceMark(HubName name, string commit, string path) =>
        HubPath.Below(Path.Combine(Repository(name), ".no_exist", commit), path);

    private static bool IsTemporary(string path) => Path.GetFileName(path.AsSpan()) is ['.', .., '.', 't', 'm', 'p'];

    private string? ReadRef(HubName name, string revision)
    {
        var path = RefPath(name, revision);
        if (!File.Exists(path)) return null;
        if (new FileInfo(path).Length > 1024) throw NoCommit(path, "more than a kilobyte");
        var text = File.ReadAllText(path).Trim();
        return IsCommit(text) ? text : throw NoCommit(path, $"\"{text}\"");
    }

    private string RefPath(HubName name, string revision) => HubPath.Below(Path.Combine(Repository(name), "refs"), revision);

    /// <summary>Other programs may have left a snapshot without saying which branch it was: the newest has to do.</summary>
    private string? Newest(HubName name) =>
        Snapshots(name).OrderByDescending(Directory.GetLastWriteTimeUtc).Select(Path.GetFileName).FirstOrDefault();

    private string? ByPrefix(HubName name, string digits)
    {
        var found = Snapshots(name).Select(Path.GetFileName).Where(commit => commit!.StartsWith(digits, StringComparison.Ordinal)).Take(2)
            .ToArray();
        return found.Length == 1 ? found[0] : null;
    }

    private IEnumerable<string> Snapshots(HubName name)
    {
        var folder = Path.Combine(Repository(name), "snapshots");
        return Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Where(path => IsCommit(Path.GetFileName(path))) : [];
    }

    private static bool IsShortCommit(string text) => text.Length is >= 7 and < 40 && text.All(char.IsAsciiHexDigitLower);

    private static string FolderName(HubName name) => $"{HubNameParser.Word(name.Type)}s--{name.Owner}--{name.Name}";

    private static InvalidFileException NoCommit(string path, string found) =>
        new(path, $"the file should hold a commit of 40 hexadecimal digits, and holds {found}.",
            "Delete it; it is written again with the next download.");
}
