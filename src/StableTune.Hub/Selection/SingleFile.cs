namespace StableTune.Hub;

/// <summary>
/// A single file with what it is of no use without: <c>v2-1.yaml</c> beside <c>v2-1.safetensors</c>, <c>config.json</c> beside a part's
/// weights, and the shards
/// that an index stands for.
/// </summary>
internal sealed class SingleFile : HubSelection
{
    private static readonly string[] Checkpoints = [".safetensors", ".ckpt", ".pt", ".pth", ".bin"];

    private readonly string _path, _folder;
    private readonly bool _isIndex;
    private readonly Func<string, bool> _knownAbsent;

    public SingleFile(string path, Func<string, bool> knownAbsent)
    {
        (_path, _folder, _knownAbsent) = (path, path[..(path.LastIndexOf('/') + 1)], knownAbsent);
        _isIndex = WeightForm.IsIndex(path[_folder.Length..]);
        List<string> sidecars = [];
        if (Checkpoints.Any(e => path.EndsWith(e, StringComparison.OrdinalIgnoreCase)))
            sidecars.Add(path[..path.LastIndexOf('.')] + ".yaml");
        if (WeightForm.IsWeights(path[_folder.Length..])) sidecars.Add(_folder + "config.json");
        Sidecars = sidecars;
    }

    /// <summary>The configurations that may lie beside the file; none for files of other kinds.</summary>
    public IReadOnlyList<string> Sidecars { get; }

    internal override IReadOnlyList<string> Choose(IReadOnlyList<string> paths, string? first)
    {
        var shards = _isIndex ? Form(paths)?.Files ?? [] : [];
        return paths.Where(path => path == _path || Sidecars.Contains(path) || shards.Contains(path)).ToArray();
    }

    internal override CachedState Judge(IReadOnlyList<string> present, string? first)
    {
        if (!present.Contains(_path)) return CachedState.Lacking([_path]);
        if (_isIndex && Form(present) is { IsComplete: false } form) return CachedState.Lacking([$"{form.Lacking} shard(s) of {_path}"]);
        return Sidecars.All(sidecar => present.Contains(sidecar) || _knownAbsent(sidecar)) ? CachedState.Complete : CachedState.Usable;
    }

    private WeightForm? Form(IReadOnlyList<string> paths)
    {
        var beside = paths.Where(path => path.StartsWith(_folder, StringComparison.Ordinal) && path.IndexOf('/', _folder.Length) < 0)
            .ToArray();
        return WeightForm.In(beside).FirstOrDefault(form => form.Files.Contains(_path));
    }
}
