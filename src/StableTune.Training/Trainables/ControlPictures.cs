using StableTune.Data;

namespace StableTune.Trainables;

/// <summary>What a data set must have for something that looks at a second image of each sample.</summary>
internal static class ControlPictures
{
    /// <summary>The images without a second one, all of them in one problem.</summary>
    /// <param name="dataset">The images; those that are held out count too.</param>
    /// <param name="what">What looks at them, for the message.</param>
    public static IEnumerable<OptionProblem> Problems(TrainingDataset dataset, string what)
    {
        string[] without =
        [
            .. dataset.Samples.Concat(dataset.Validation?.Samples ?? [])
                .Where(sample => sample.Item.ConditioningPath is null || sample.Subset.Mask == LossMask.Conditioning)
                .Select(sample => sample.Path).Distinct(StringComparer.Ordinal),
        ];
        if (without.Length > 0)
            yield return new OptionProblem("SubsetOptions.ConditioningFolder", null,
                $"{what} looks at a second image of each image, and {without.Length} have none: {string.Join(", ", without)}",
                "name the folder of the control pictures, which have the names of the images; masks do not count");
    }
}
