using StableTune.Formats;

namespace StableTune.Data;

/// <summary>What a tagger saw in images, in files of sd-trainer: one <c>.npz</c> for each image, with the numbers under <c>controll</c>.</summary>
internal static class PromptFreeFeatures
{
    /// <summary>The array's name in files, with two l as sd-trainer writes it.</summary>
    private const string Name = "controll";

    private const string Option = "DatasetItem.PromptFreePath", Remedy = "Make it again, with one number for each feature under the name controll.";
    private const int Shown = 5, MostFeatures = 1 << 20;

    /// <summary>The features of one batch, [B, D], float32, in the current dispose scope; null when the images have none.</summary>
    /// <exception cref="InvalidFileException">A file was removed or changed since the data set was built.</exception>
    internal static Tensor? Collate(IReadOnlyList<TrainingSample> samples)
    {
        if (samples[0].PromptFreePath is null) return null;
        var values = new List<float>();
        var width = 0;
        foreach (var sample in samples)
        {
            var one = Read(sample.PromptFreePath!);
            if (width > 0 && one.Length != width) throw new InvalidFileException(sample.PromptFreePath!, $"it holds {one.Length} features, that of {samples[0].Path} {width}.", Remedy);
            width = one.Length;
            values.AddRange(one);
        }

        return tensor(values.ToArray()).reshape(samples.Count, width);
    }

    /// <summary>The features of one image, [D].</summary>
    /// <exception cref="InvalidFileException">The file is missing, damaged, or holds something else.</exception>
    internal static float[] Read(string path)
    {
        using var file = NpzFile.Open(path);
        if (!file.TryGet(Name, out var info)) throw new InvalidFileException(path, $"it holds no array \"{Name}\".", Remedy);
        if (info.Shape is not [> 0 and <= MostFeatures]) throw new InvalidFileException(path, $"the features are {info}, but one row of at most {MostFeatures} numbers is wanted.", Remedy);
        return LatentStore.Floats(file.ReadArray(Name)) ?? throw new InvalidFileException(path, "the features are no finite floating-point numbers.", Remedy);
    }

    /// <summary>What is wrong with the features of a data set: images without while others have them, files that do not serve, and rows of another length than the first.</summary>
    internal static IReadOnlyList<OptionProblem> Problems(IReadOnlyList<DatasetItem> items)
    {
        if (items.All(item => item.PromptFreePath is null)) return [];
        var without = items.Where(item => item.PromptFreePath is null).Select(item => item.Path).Distinct().ToList();
        var problems = new List<OptionProblem>();
        if (without.Count > 0)
            problems.Add(new(Option, null, $"some images of the data set have a tagger's features, but {without.Count} do not: {string.Join(", ", without.Take(Shown))}{(without.Count > Shown ? " ..." : "")}",
                "make them for all images, or take those away that are there"));
        string[] paths = [.. items.Select(item => item.PromptFreePath).OfType<string>().Distinct(StringComparer.Ordinal)];
        var (widths, faults) = (new int[paths.Length], new OptionProblem?[paths.Length]);
        Parallel.For(0, paths.Length, i =>
        {
            try
            {
                widths[i] = Read(paths[i]).Length;
            }
            catch (Exception e) when (FileProblems.IsAboutFiles(e))
            {
                faults[i] = FileProblems.Describe(Option, paths[i], e);
            }
        });
        problems.AddRange(faults.OfType<OptionProblem>());
        var first = Array.FindIndex(widths, width => width > 0);
        for (var i = first + 1; first >= 0 && i < paths.Length; i++)
            if (faults[i] is null && widths[i] != widths[first]) problems.Add(new(Option, paths[i], $"it holds {widths[i]} features, {paths[first]} holds {widths[first]}", "make all with the same tagger"));
        return problems;
    }
}
