using System.Runtime.InteropServices;
using StableTune.Formats;

namespace StableTune.Data;

/// <summary>
/// What a tagger saw in images, in files of sd-trainer: one <c>.npz</c> for each image, with the numbers under <c>controll</c>.
/// </summary>
public static class PromptFreeFeatures
{
    /// <summary>The array's name in files, with two l as sd-trainer writes it.</summary>
    private const string Name = "controll";

    private const string Option = "DatasetItem.PromptFreePath",
        Remedy = "Make it again, with one number for each feature under the name controll.";
    private const int MostFeatures = 1 << 20;

    private static readonly PreparedFiles<int> s_files = new(Option, "a tagger's features", item => item.PromptFreePath, path =>
        Read(path).Length, count => $"{count} features",
        "make them for all images, or take those away that are there", "make all with the same tagger");

    /// <summary>The features of one batch, [B, D], float32, in the current dispose scope; null when the images have none.</summary>
    /// <exception cref="InvalidFileException">A file was removed or changed since the data set was built.</exception>
    internal static Tensor? Collate(IReadOnlyList<TrainingSample> samples)
    {
        if (samples[0].Item.PromptFreePath is null) return null;
        var values = new List<float>();
        var width = 0;
        foreach (var sample in samples)
        {
            var one = Read(sample.Item.PromptFreePath!);
            if (width > 0 && one.Length != width)
                throw new InvalidFileException(sample.Item.PromptFreePath!,
                    $"it holds {one.Length} features, that of {samples[0].Path} {width}.", Remedy);
            width = one.Length;
            values.AddRange(one);
        }

        return AlignedTensor.Of(CollectionsMarshal.AsSpan(values), samples.Count, width);
    }

    /// <summary>The features of one image, [D].</summary>
    /// <exception cref="InvalidFileException">The file is missing, damaged, or holds something else.</exception>
    public static float[] Read(string path)
    {
        using var file = NpzFile.Open(path);
        if (!file.TryGet(Name, out var info)) throw new InvalidFileException(path, $"it holds no array \"{Name}\".", Remedy);
        if (info.Shape is not [> 0 and <= MostFeatures])
            throw new InvalidFileException(path, $"the features are {info}, but one row of at most {MostFeatures} numbers is wanted.",
                Remedy);
        return LatentStore.Floats(file.ReadArray(Name))
            ?? throw new InvalidFileException(path, "the features are no finite floating-point numbers.", Remedy);
    }

    /// <summary>The item with its features in a folder, where they are there.</summary>
    internal static DatasetItem Paired(DatasetItem item, string folder) =>
        item.PromptFreePath is null && Path.Combine(folder, Path.GetFileNameWithoutExtension(item.Path) + ".npz") is var path
            && File.Exists(path) ? item with { PromptFreePath = path } : item;

    /// <summary>What is wrong with the features of a data set.</summary>
    internal static IReadOnlyList<OptionProblem> Problems(IReadOnlyList<DatasetAssembly.Found> found) =>
        s_files.Problems([.. found.Select(item => item.Item)]);
}
