namespace StableTune.Checkpoints;

/// <summary>Where a model goes, and as what.</summary>
/// <param name="Path">The file or folder, full.</param>
/// <param name="Format">The format.</param>
internal sealed record SaveTarget(string Path, ModelFormat Format)
{
    private const string Index = "model_index.json";

    /// <summary>Decides by options, extension and source, in this order; a single file gets its extension where it has none.</summary>
    public static SaveTarget Choose(string path, ModelSaveOptions options, ModelFormat? source)
    {
        var format = options.Format ?? ModelFormats.Of(path) ?? source ?? ModelFormat.DiffusersSafetensors;
        var full = path.Length == 0 ? path : System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        return new SaveTarget(format.IsFolder() || ModelFormats.Of(path) is not null ? full : full + format.Extension(), format);
    }

    /// <summary>Why nothing could be written there.</summary>
    public IEnumerable<OptionProblem> Problems(ModelSaveOptions options)
    {
        if (Path.Length == 0) yield return Problem("a path is needed", "give the path of a file or folder");
        else if ((Format.IsFolder() ? FolderProblem(options) : FileProblem(options)) is { } problem) yield return problem;
    }

    private OptionProblem? FileProblem(ModelSaveOptions options)
    {
        if (ModelFormats.Of(Path) is { } named && named != Format)
            return Problem($"the extension does not fit the format {Format}",
                $"end the path with {Format.Extension()}, or leave the format unset");
        if (!AtomicFile.CanWrite(Path, out var reason)) return Problem(reason, "name a file in a folder that can be written to");
        return File.Exists(Path) && !options.Overwrite ? Problem("there is such a file already", "give another path, or set Overwrite")
            : null;
    }

    private OptionProblem? FolderProblem(ModelSaveOptions options)
    {
        if (File.Exists(Path)) return Problem("a file stands where the folder shall be", "remove it, or give another path");
        if (ModelFormats.Of(Path) is { } named)
            return Problem($"a folder with the extension of a single file ({named}) misleads",
                "leave the extension out, or choose the single-file format");
        var parent = System.IO.Path.GetDirectoryName(Path);
        if (parent is null) return Problem("this is the root of a file system", "name a folder in it");
        if (!AtomicFile.CanWriteInto(parent, out var reason))
            return Problem($"the folder cannot be written to ({reason.TrimEnd('.')})", "give another path");
        if (RunFolders.IsFree(Path) || options.AmongOthers) return null;
        if (!File.Exists(System.IO.Path.Combine(Path, Index)))
            return Problem($"the folder holds something else than a model (it has no {Index})", "give a new or an empty folder");
        return options.Overwrite ? null : Problem("there is such a model already", "give another path, or set Overwrite");
    }

    private OptionProblem Problem(string rule, string remedy) => new("path", Path, rule, remedy);
}
