using StableTune.Adapters;
using StableTune.Data;

namespace StableTune.Training;

/// <summary>What adapter files say about a data set: its facts, in the terms of the files.</summary>
internal static class DatasetDescription
{
    /// <summary>Batches, sizes, folders and tags of a data set.</summary>
    /// <param name="dataset">The data set of the run, whose batches all devices share.</param>
    /// <param name="shares">How many devices share a batch.</param>
    public static DataFacts Data(TrainingDataset dataset, int shares)
    {
        var (options, captions) = (dataset.Options, CaptionOptions(dataset));
        var hasBuckets = dataset.HasBuckets;
        return new DataFacts
        {
            BatchSize = options.BatchSize / shares,
            TotalBatchSize = shares == 1 ? null : options.BatchSize,
            Resolution = (dataset.Resolution.Width, dataset.Resolution.Height),
            EnableBucket = hasBuckets,
            BucketNoUpscale = options.Bucketing is AspectBuckets { NoUpscale: true },
            MinBucketResolution = options.Bucketing is AspectBuckets { NoUpscale: false } least ? least.MinSide / least.Step * least.Step
                : null,
            MaxBucketResolution = options.Bucketing is AspectBuckets { NoUpscale: false } most
                ? (most.MaxSide + most.Step - 1) / most.Step * most.Step : null,
            Buckets = hasBuckets ? [.. dataset.Buckets.Select(bucket =>
                new BucketFacts(bucket.Size.Width, bucket.Size.Height, bucket.Entries.Count))] : null,
            MeanAspectRatioError = dataset.MeanAspectRatioError,
            ShuffleCaption = captions.Shuffle,
            KeepTokens = captions.KeepTokens,
            ResizeInterpolation = options.Interpolation?.Name,
            Folders = Folders(dataset, regularization: false),
            RegularizationFolders = Folders(dataset, regularization: true),
            TagFrequency = dataset.TagFrequency,
        };
    }

    /// <summary>The data set as one of those of the run, with its subsets.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="data">What <see cref="Data"/> gave for it.</param>
    public static DatasetFacts Dataset(TrainingDataset dataset, DataFacts data) => new(data, [.. dataset.Folders.Select(Subset)])
    {
        TrainImages = dataset.TrainingImageCount,
        RegularizationImages = dataset.RegularizationImageCount,
    };

    /// <summary>What was left out of captions.</summary>
    public static CaptionFacts Captions(TrainingDataset dataset)
    {
        var captions = CaptionOptions(dataset);
        return new CaptionFacts
        {
            DropoutRate = captions.DropoutRate,
            DropoutEveryEpochs = captions.DropoutEveryNEpochs,
            TagDropoutRate = captions.TagDropoutRate,
            ValidationSplit = dataset.Options.ValidationSplit,
            ValidationSeed = dataset.Options.ValidationSeed,
        };
    }

    private static SubsetFacts Subset(DatasetFolder folder) => new(folder.Name, new FolderFacts(folder.Repeats, folder.ImageCount))
    {
        ClassTokens = folder.ClassTokens,
        IsRegularization = folder.Options.IsRegularization,
        ShuffleCaption = folder.Options.Captions.Shuffle,
        KeepTokens = folder.Options.Captions.KeepTokens,
        KeepTokensSeparator = folder.Options.Captions.KeepTokensSeparator,
        SecondarySeparator = folder.Options.Captions.SecondarySeparator,
        EnableWildcard = folder.Options.Captions.Wildcard,
        CaptionPrefix = folder.Options.Captions.Prefix,
        CaptionSuffix = folder.Options.Captions.Suffix,
    };

    /// <summary>Folders by their bare names: those of one name count together.</summary>
    private static OrderedDictionary<string, FolderFacts> Folders(TrainingDataset dataset, bool regularization) =>
        new(from folder in dataset.Folders
            where folder.Options.IsRegularization == regularization
            group folder by folder.Name into same
            select KeyValuePair.Create(same.Key, new FolderFacts(same.First().Repeats, same.Sum(folder => folder.ImageCount))));

    /// <summary>The entries that know one value only have that of the first folder of training images.</summary>
    private static CaptionOptions CaptionOptions(TrainingDataset dataset) =>
        (dataset.Folders.FirstOrDefault(folder => !folder.Options.IsRegularization) ?? dataset.Folders[0]).Options.Captions;
}
