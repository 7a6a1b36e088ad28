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

    /// <summary>The extensions of caption files; see <see cref="FolderSource.CaptionExtensions"/>. Default <c>.caption</c> alone.</summary>
    public IReadOnlyList<string> CaptionExtensions { get; init; } = CaptionFiles.Default;

    /// <summary>Whether <c>frog.png.txt</c> is a caption too; see <see cref="FolderSource.CaptionsByFullName"/>. Default false.</summary>
    public bool CaptionsByFullName { get; init; }

    /// <inheritdoc/>
    public string Name => FolderRules.NameOf(Root);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items() => ((IKindsSource)this).Items(SourceContext.Alone);

    IEnumerable<DatasetItem> IKindsSource.Items(SourceContext context)
    {
        InvalidOptionsException.ThrowIfAny(RootProblems(context.Extensions));
        var problems = new List<OptionProblem>();
        var items = new List<DatasetItem>();
        foreach (var folder in Folders())
        {
            try
            {
                items.AddRange(((IKindsSource)folder).Items(context));
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
    public IEnumerable<string> Warnings() => ((IKindsSource)this).Warnings(SourceContext.Alone);

    IEnumerable<string> IKindsSource.Warnings(SourceContext context)
    {
        if (!Directory.Exists(Root)) return [];
        var ignored = Names().Where(name => DreamBoothFolder.Parse(name) is null).Select(name => $"\"{name}\"").ToList();
        var own = ignored.Count == 0 ? Enumerable.Empty<string>()
            : [$"{Root}: {ignored.Count} folder(s) are passed over, their names do not begin with a number of repeats as in \"20_sls "
                + $"frog\": "
                + $"{string.Join(", ", ignored)}."];
        var folders = Folders().ToList();
        var counts = folders.ConvertAll(folder => folder.CountCaptions(context));
        if (counts.Sum(count => count.Without) is > 0 and var without)
            own = own.Append(FolderSource.WithoutCaptions(Root, without, counts.Sum(count => count.All), folders[0].Captions(),
                "class tokens"));
        return own.Concat(folders.SelectMany(folder => ((IKindsSource)folder).Warnings(context)));
    }

    /// <summary>
    /// The folders that count, each with what its name says. sd-scripts reads a bare number as repeats here, and so do we.
    /// </summary>
    internal IEnumerable<FolderSource> Folders() =>
        from name in Names()
        let convention = DreamBoothFolder.Parse(name)
        where convention is not null
        select new FolderSource(Path.Combine(Root, name))
        {
            Convention = convention, CaptionExtensions = CaptionExtensions, CaptionsByFullName = CaptionsByFullName,
        };

    private IEnumerable<string> Names() =>
        FolderFiles.FoldersIn(Root).Select(path => Path.GetFileName(path)!);

    private IEnumerable<OptionProblem> RootProblems(IReadOnlyList<string> extensions)
    {
        const string option = "DreamBoothRootSource.Root";
        if (FolderRules.Existing(option, Root) is { } missing) yield return missing;
        else if (!Folders().Any())
            yield return new(option, Root, $"it holds no folder named as in \"20_sls frog\"{Others()}",
                ImageFiles.In(Root, extensions).Length > 0
                ? "the images lie directly in it: move them into such a folder, or add this one with AddFolder"
                : "put the images into a folder whose name begins with the number of repeats and an underscore");
        else if (ImageFiles.In(Root, extensions) is { Length: > 0 } loose)
            yield return new(option, Root,
                $"{loose.Length} image(s) lie directly in it ({Path.GetFileName(loose[0])} ...) and would not be trained",
                "move them into a folder such as \"10_frog\"");

        string Others() => Names().ToList() is { Count: > 0 } names ? $", only {string.Join(", ", names.Select(name => $"\"{name}\""))}"
            : "";
    }
}
