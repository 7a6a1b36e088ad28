using StableTune.Data;

namespace StableTune;

/// <summary>
/// A folder of DreamBooth folders, <c>root/20_sls frog/*.png</c>: what sd-scripts calls <c>train_data_dir</c> and <c>reg_data_dir</c>.
/// Folders whose names do not begin with a number of repeats are passed over with a warning. Not searched any deeper.
/// </summary>
/// <param name="root">The parent folder.</param>
public sealed class DreamBoothRootSource(string root) : IDatasetSource, IKindsSource
{
    /// <summary>The parent folder, as the user named it.</summary>
    public string Root { get; } = root ?? throw new ArgumentNullException(nameof(root));

    /// <summary>The extension of caption files; see <see cref="FolderSource.CaptionExtension"/>.</summary>
    public string? CaptionExtension { get; init; }

    /// <inheritdoc/>
    public string Name => FolderRules.NameOf(Root);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items() => ((IKindsSource)this).Items(ImageFiles.Extensions);

    IEnumerable<DatasetItem> IKindsSource.Items(IReadOnlyList<string> extensions)
    {
        InvalidOptionsException.ThrowIfAny(RootProblems());
        var problems = new List<OptionProblem>();
        var items = new List<DatasetItem>();
        foreach (var folder in Folders())
        {
            try
            {
                items.AddRange(((IKindsSource)folder).Items(extensions));
            }
            catch (InvalidOptionsException e)
            {
                problems.AddRange(e.Problems);
            }
        }

        InvalidOptionsException.ThrowIfAny(problems);
        return items;
    }

    /// <inheritdoc/>
    public IEnumerable<string> Warnings() => ((IKindsSource)this).Warnings(ImageFiles.Extensions);

    IEnumerable<string> IKindsSource.Warnings(IReadOnlyList<string> extensions)
    {
        if (!Directory.Exists(Root)) return [];
        var ignored = Names().Where(name => DreamBoothFolder.Parse(name) is null).Select(name => $"\"{name}\"").ToList();
        var own = ignored.Count == 0 ? Enumerable.Empty<string>()
            : [$"{Root}: {ignored.Count} folder(s) are passed over, their names do not begin with a number of repeats as in \"20_sls frog\": {string.Join(", ", ignored)}."];
        return own.Concat(Folders().SelectMany(folder => ((IKindsSource)folder).Warnings(extensions)));
    }

    /// <summary>The folders that count, each with what its name says. sd-scripts reads a bare number as repeats here, and so do we.</summary>
    internal IEnumerable<FolderSource> Folders() =>
        from name in Names()
        let convention = DreamBoothFolder.Parse(name)
        where convention is not null
        select new FolderSource(Path.Combine(Root, name)) { Convention = convention, CaptionExtension = CaptionExtension };

    private IEnumerable<string> Names() =>
        Directory.EnumerateDirectories(Root).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    private IEnumerable<OptionProblem> RootProblems()
    {
        const string option = "DreamBoothRootSource.Root";
        if (FolderRules.Existing(option, Root) is { } missing) yield return missing;
        else if (!Folders().Any())
            yield return new(option, Root, $"it holds no folder named as in \"20_sls frog\"{Others()}", ImageFiles.In(Root).Length > 0
                ? "the images lie directly in it: move them into such a folder, or add this one with AddFolder"
                : "put the images into a folder whose name begins with the number of repeats and an underscore");
        else if (ImageFiles.In(Root) is { Length: > 0 } loose)
            yield return new(option, Root, $"{loose.Length} image(s) lie directly in it ({Path.GetFileName(loose[0])} ...) and would not be trained",
                "move them into a folder such as \"10_frog\"");

        string Others() => Names().ToList() is { Count: > 0 } names ? $", only {string.Join(", ", names.Select(name => $"\"{name}\""))}" : "";
    }
}
