namespace StableTune.Hub;

/// <summary>Which files of a repository are wanted.</summary>
public abstract class HubSelection
{
    private protected HubSelection() { }

    /// <summary>Every file.</summary>
    public static HubSelection All { get; } = new FilteredFiles(_ => true);

    /// <summary>What a diffusers model, or one part of it such as a VAE, needs; see <see cref="ModelFiles"/>.</summary>
    /// <param name="variant">The wanted variant of the weights, "fp16" for instance; null for the plain ones.</param>
    public static HubSelection Model(string? variant = null) => new DiffusersModel(variant);

    /// <summary>Every file whose path the predicate accepts.</summary>
    /// <param name="wanted">Gets a file's path in the repository, with '/' between its pieces.</param>
    public static HubSelection Where(Func<string, bool> wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        return new FilteredFiles(wanted);
    }

    /// <summary>A file that must be read before it can be said which others are wanted; null for none.</summary>
    internal virtual string? FirstFile => null;

    /// <summary>The files to have, out of those that there are.</summary>
    internal abstract IReadOnlyList<string> Choose(IReadOnlyList<string> paths, string? first);

    /// <summary>Whether what the cache holds will do.</summary>
    internal abstract CachedState Judge(IReadOnlyList<string> present, string? first);

    private sealed class FilteredFiles(Func<string, bool> wanted) : HubSelection
    {
        internal override IReadOnlyList<string> Choose(IReadOnlyList<string> paths, string? first) => paths.Where(wanted).ToArray();

        // Names alone do not tell whether there are more of them on the server.
        internal override CachedState Judge(IReadOnlyList<string> present, string? first) =>
            present.Any(wanted) ? CachedState.Usable : CachedState.Lacking(["files that are wanted"]);
    }

    private sealed class DiffusersModel(string? variant) : HubSelection
    {
        internal override string FirstFile => ModelFiles.IndexName;

        internal override IReadOnlyList<string> Choose(IReadOnlyList<string> paths, string? first) =>
            ModelFiles.Select(paths, first, variant);

        internal override CachedState Judge(IReadOnlyList<string> present, string? first)
        {
            var missing = ModelFiles.Missing(present, first);
            if (missing.Count > 0) return CachedState.Lacking(missing);
            return ModelFiles.HasVariant(present, first, variant) ? CachedState.Complete : CachedState.Usable;
        }
    }
}

/// <summary>What the cache is worth: everything that could be wanted, enough to go on without the server, or too little.</summary>
internal sealed record CachedState(bool IsUsable, bool IsComplete, IReadOnlyList<string> Missing)
{
    public static CachedState Complete { get; } = new(true, true, []);

    public static CachedState Usable { get; } = new(true, false, []);

    public static CachedState Lacking(IReadOnlyList<string> missing) => new(false, false, missing);
}
