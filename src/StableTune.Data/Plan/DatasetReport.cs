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
        Line($"{dataset.Samples.Count} images, {drawn} with repeats, {dataset.BatchesPerEpoch} batches of {dataset.Options.BatchSize} in an epoch");
        foreach (var folder in dataset.Folders)
        {
            var role = folder.Options.IsRegularization ? ", regularisation" : "";
            var tokens = folder.ClassTokens is { Length: > 0 } given ? $", class tokens \"{given}\"" : "";
            Line($"  {folder.Name}: {folder.ImageCount} images x {folder.Repeats}{role}{tokens}");
        }

        foreach (var bucket in dataset.Buckets) Line($"  size {bucket.Size}: {bucket.Entries.Count} with repeats, {bucket.BatchCount} batches");
        foreach (var warning in dataset.Warnings) Line($"  note: {warning}");
        return text.ToString();
    }
}
