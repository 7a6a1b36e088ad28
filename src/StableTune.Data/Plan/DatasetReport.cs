using System.Globalization;
using System.Text;

namespace StableTune.Data;

/// <summary>Tells people what a data set holds.</summary>
internal static class DatasetReport
{
    internal static string Write(TrainingDataset dataset)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        var drawn = dataset.Buckets.Sum(bucket => bucket.Entries.Count);
        Line($"{dataset.Samples.Count} images, {drawn} with repeats, {Batches(dataset)} in an epoch");
        foreach (var folder in dataset.Folders)
        {
            var role = folder.Options.IsRegularization ? ", regularisation" : "";
            var tokens = folder.ClassTokens is { Length: > 0 } given ? $", class tokens \"{given}\"" : "";
            Line($"  {folder.Name}: {folder.ImageCount} images x {folder.Repeats}{role}{tokens}");
        }

        foreach (var bucket in dataset.Buckets)
        {
            var images = bucket.Entries.Distinct().Count();
            Line($"  size {bucket.Size}: {images} images, {bucket.Entries.Count} with repeats, {bucket.BatchCount} batches");
        }

        Line($"  mean aspect error: {dataset.MeanAspectRatioError:0.####} (width / height of the training size against that of the image)");
        foreach (var warning in dataset.Notes) Line($"  note: {warning}");
        return text.ToString();
    }

    /// <summary>Several data sets may have batches of several sizes.</summary>
    private static string Batches(TrainingDataset dataset)
    {
        var sizes = dataset.Parts.GroupBy(part => part.Options.BatchSize, part => part.BatchesPerEpoch).ToList();
        return sizes is [var only] ? Of(only)
            : string.Create(CultureInfo.InvariantCulture, $"{dataset.BatchesPerEpoch} batches ({string.Join(", ", sizes.Select(Of))})");

        string Of(IGrouping<int, int> batches) =>
            string.Create(CultureInfo.InvariantCulture, $"{batches.Sum()}{(sizes.Count == 1 ? " batches" : "")} of {batches.Key}");
    }
}
