namespace StableTune.Data;

/// <summary>What of a data set cannot go together, though each part is right by itself.</summary>
internal static class DatasetRules
{
    private const int MostDraws = 100_000_000;

    /// <summary>What decides how often images are drawn must be one thing, said in one place.</summary>
    internal static IEnumerable<OptionProblem> OfBalance(DatasetPlan plan)
    {
        var options = plan.Options;
        foreach (var subset in plan.Subsets)
        {
            if (options.SamplesPerEpoch is null && subset.Options.Weight is { } weight)
                yield return new("SubsetOptions.Weight", weight, "it is a share of a number of draws, which is not set",
                    "set DatasetOptions.SamplesPerEpoch, or use repeats");
            if (options.SamplesPerEpoch is not null && subset.Options.SamplesPerEpoch is { } count)
                yield return new("SubsetOptions.SamplesPerEpoch", count, "the data set shares its own number of draws by weights",
                    "set DatasetOptions.SamplesPerEpoch or this, not both");
        }

        if (options.PriorStyle == PriorStyle.Paired
            && (options.SamplesPerEpoch is not null || plan.Subsets.Any(subset => subset.Options.SamplesPerEpoch is not null)))
            yield return new("DatasetOptions.PriorStyle", PriorStyle.Paired,
                "pairs are fixed, while SamplesPerEpoch draws other images in each epoch", "use one of them");
    }

    /// <summary>A metadata file and regularisation images exclude each other, whichever way they came into the data set.</summary>
    internal static IEnumerable<OptionProblem> OfMetadata(DatasetPlan plan)
    {
        if (plan.Subsets.FirstOrDefault(subset => subset.Source is MetadataSource) is { } metadata
            && plan.Subsets.Any(subset => subset.Options.IsRegularization))
            yield return new("SubsetOptions.IsRegularization", true,
                $"the data set has a metadata file ({metadata.Source.Name}), {MetadataReason}",
                "train its images without them, or train the images of a folder, with an identifier and its class");
    }

    /// <summary>Why regularisation images have no place beside a metadata file.</summary>
    internal const string MetadataReason =
        "whose images have captions of their own: there is no identifier with a class that regularisation images could keep";

    /// <summary>What the images are there for, and how many they are.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="found">The images that are left for training.</param>
    internal static IEnumerable<OptionProblem> OfRoles(DatasetPlan plan, IReadOnlyList<DatasetAssembly.Found> found)
    {
        var draws = found.Sum(item => (long)item.Repeats);
        if (draws > MostDraws)
        {
            var worst = found.MaxBy(item => item.Repeats)!;
            yield return new("SubsetOptions.Repeats", worst.Repeats,
                $"an epoch would have {draws} images, {MostDraws} is the most ({worst.Folder})",
                "lower the repeats; if the folder's name only looks like a number of repeats, set them, or FolderSource.ReadFolderName to "
                    + "false");
        }

        if (plan.Options.Bucketing is { HasBuckets: true }
            && found.FirstOrDefault(item => item.Subset.Augmentation.FaceCrop is not null) is { } around)
            yield return new("AugmentationOptions.FaceCrop", around.Subset.Augmentation.FaceCrop,
                "cutting around faces needs one size for all images", "do without buckets, or without cutting around faces");
        if (found.FirstOrDefault(item => item.Item.ConditioningPath is null) is { } without
            && found.Any(item => item.Item.ConditioningPath is not null && item.Subset.Mask != LossMask.Conditioning))
            yield return new("SubsetOptions.ConditioningFolder", null,
                $"some images of the data set have second images, others not ({without.Item.Path})",
                "give every subset a folder of them, or train them in data sets of their own");
        if (found.Any(item => !item.Subset.IsRegularization)) yield break;
        yield return found.Count == 0
            ? new("DatasetPlan.Subsets", string.Join(", ", plan.Subsets.Select(subset => subset.Source.Name)), "no readable image is left",
                "add images, or repair the files that were left out")
            : new("SubsetOptions.IsRegularization", true, "all images are regularisation images, nothing would be learned",
                "add the images to be trained as well");
    }
}
