namespace StableTune.Data;

/// <summary>A kind of files that came with a data set, one for each image: all images have one or none has, and all are of one
/// form.</summary>
/// <typeparam name="TForm">What must be the same in all of them.</typeparam>
/// <param name="Option">The option that names such a file.</param>
/// <param name="Content">What is in them, in the plural.</param>
/// <param name="Of">The file of an image; null where it has none.</param>
/// <param name="Look">The form of a file; says what is wrong with it by an <see cref="InvalidFileException"/>.</param>
/// <param name="Describe">A form in words.</param>
/// <param name="Completion">What to do about images without a file.</param>
/// <param name="Unification">What to do about files that differ.</param>
internal sealed record PreparedFiles<TForm>(
    string Option, string Content, Func<DatasetItem, string?> Of, Func<string, TForm> Look, Func<TForm, string> Describe,
    string Completion, string Unification)
    where TForm : struct, IEquatable<TForm>
{
    private const int Shown = 5;

    /// <summary>What is wrong with those of a data set: images without while others have them, files that do not serve, and those of
    /// another form than the first.</summary>
    internal IReadOnlyList<OptionProblem> Problems(IReadOnlyList<DatasetItem> items)
    {
        string[] paths = [.. items.Select(Of).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (paths.Length == 0) return [];
        var without = items.Where(item => Of(item) is null).Select(item => item.Path).Distinct().ToList();
        var problems = new List<OptionProblem>();
        if (without.Count > 0)
            problems.Add(
                new(Option, null,
                $"some images of the data set have {Content}, but {without.Count} do not: "
                    + $"{string.Join(", ", without.Take(Shown))}{(without.Count > Shown ? " ..." : "")}", Completion));
        var (forms, faults) = (new TForm?[paths.Length], new OptionProblem?[paths.Length]);
        Parallel.For(0, paths.Length, i =>
        {
            try
            {
                forms[i] = Look(paths[i]);
            }
            catch (Exception e) when (FileProblems.IsAboutFiles(e))
            {
                faults[i] = FileProblems.Describe(Option, paths[i], e);
            }
        });
        problems.AddRange(faults.OfType<OptionProblem>());
        var first = Array.FindIndex(forms, form => form is not null);
        for (var i = first + 1; first >= 0 && i < paths.Length; i++)
            if (forms[i] is { } form && !form.Equals(forms[first]!.Value))
                problems.Add(new(Option, paths[i], $"it holds {Describe(form)}, {paths[first]} holds {Describe(forms[first]!.Value)}",
                    Unification));
        return problems;
    }
}
