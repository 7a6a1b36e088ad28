using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>A folder of a built data set, for reports and metadata.</summary>
/// <param name="Name">The folder's bare name.</param>
/// <param name="Repeats">Times each image occurs in an epoch, before regularisation images are balanced.</param>
/// <param name="ImageCount">Images in it.</param>
/// <param name="Options">Options of its subset.</param>
/// <param name="ClassTokens">Caption of images without one; null is none.</param>
public sealed record DatasetFolder(string Name, int Repeats, int ImageCount, SubsetOptions Options, string? ClassTokens);

/// <summary>
/// A data set that is ready for training: which images there are, at which size and how often each is trained, and with which caption. It
/// is made by <see cref="DatasetBuilder.Build"/>, was checked, and does not change. Pixels are read only when batches are made.
/// </summary>
public sealed class TrainingDataset
{
    private readonly DatasetPlan _plan;

    internal TrainingDataset(DatasetPlan plan, IReadOnlyList<TrainingSample> samples, IReadOnlyList<DatasetFolder> folders,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>> tagFrequency, IReadOnlyList<string> warnings)
    {
        (_plan, Samples, Folders, TagFrequency, Warnings, Parts) = (plan, samples, folders, tagFrequency, warnings, [this]);
        Buckets = [.. from sample in samples
                      group sample by sample.Framing.Size into bucket
                      orderby bucket.Key.Width, bucket.Key.Height
                      select Bucket.Of(bucket.Key, plan.Options, [.. bucket])];
    }

    /// <summary>Several data sets as one: samples are numbered anew, buckets stay apart.</summary>
    internal TrainingDataset(DatasetPlan plan, IReadOnlyList<TrainingDataset> parts)
    {
        var (samples, buckets) = (new List<TrainingSample>(), new List<Bucket>());
        foreach (var part in parts)
        {
            var first = samples.Count;
            samples.AddRange(part.Samples.Select(sample => sample with { Index = first + sample.Index }));
            buckets.AddRange(part.Buckets.Select(bucket => bucket.From(first)));
        }

        (_plan, Parts, Samples, Buckets) = (plan, parts, samples, buckets);
        Folders = [.. parts.SelectMany(part => part.Folders)];
        Warnings = [.. parts.SelectMany(part => part.Warnings)];
        TrainingDataset[] held = [.. parts.Select(part => part.Validation).OfType<TrainingDataset>()];
        Validation = held.Length > 1 ? new(plan, held) : held.FirstOrDefault();
        // A folder that several data sets train at several sizes has the same tags in each.
        TagFrequency = new OrderedDictionary<string, IReadOnlyDictionary<string,
            int>>(parts.SelectMany(part => part.TagFrequency).DistinctBy(folder => folder.Key), StringComparer.Ordinal);
    }

    /// <summary>The data sets that this one consists of; itself alone when it is one.</summary>
    public IReadOnlyList<TrainingDataset> Parts { get; }

    /// <summary>The options that the data set was built with; of several data sets, those of the first.</summary>
    public DatasetOptions Options => _plan.Options;

    /// <summary>
    /// The training resolution in pixels, which stands for an area where sizes differ: what the options say, else, where all images came
    /// with their sizes, the largest of these.
    /// </summary>
    public PixelSize Resolution => Options.Resolution ?? Buckets.MaxBy(bucket => bucket.Size.Area)!.Size;

    /// <summary>Whether images are trained at sizes of their own: by bucketing, or as a metadata file says.</summary>
    public bool HasBuckets => Options.Bucketing?.HasBuckets ?? Samples.Any(sample => sample.IsSizedByMetadata);

    /// <summary>
    /// The images that occur in an epoch: those of training subsets in order, then regularisation images as far as they are used.
    /// </summary>
    public IReadOnlyList<TrainingSample> Samples { get; }

    /// <summary>All samples, of the training set and of the validation set.</summary>
    internal IReadOnlyList<TrainingSample> AllSamples => Validation is null ? Samples : [.. Samples, .. Validation.Samples];

    /// <summary>The folders, in the order in which they were added.</summary>
    public IReadOnlyList<DatasetFolder> Folders { get; }

    /// <summary>Images by training size, smallest width first.</summary>
    public IReadOnlyList<Bucket> Buckets { get; }

    /// <summary>Training images in an epoch, repeats included.</summary>
    public int TrainingImageCount => Samples.Where(sample => !sample.Subset.IsRegularization).Sum(sample => sample.Repeats);

    /// <summary>
    /// Regularisation images that were given, repeats included and before balancing; what metadata calls <c>ss_num_reg_images</c>.
    /// </summary>
    public int RegularizationImageCount => Folders.Where(folder => folder.Options.IsRegularization)
        .Sum(folder => folder.Repeats * folder.ImageCount);

    /// <summary>
    /// Batches in an epoch: for each bucket its entries divided by the batch size, rounded up. With
    /// <see cref="DatasetOptions.MinibatchRepeat"/> n the n-th part of the batches in which all images occur, rounded down; never more than
    /// <see cref="DatasetOptions.MaxBatchesPerEpoch"/>.
    /// </summary>
    public int BatchesPerEpoch => Parts.Count > 1 ? Parts.Sum(part => part.BatchesPerEpoch)
        : Math.Min(Options.MaxBatchesPerEpoch ?? int.MaxValue,
            Math.Max(Math.Min(1, BatchesPerPass), BatchesPerPass / Options.MinibatchRepeat));

    /// <summary>Batches in which every entry of every bucket occurs.</summary>
    internal int BatchesPerPass => Buckets.Sum(bucket => bucket.BatchCount);

    /// <summary>
    /// Mean difference between the aspect ratio (width / height) of an image and that of its training size, each image counted once.
    /// </summary>
    public double MeanAspectRatioError =>
        Samples.Average(sample => Math.Abs(sample.Framing.Size.AspectRatio - sample.ImageSize.AspectRatio));

    /// <summary>Folder, tag, number of images with the tag: what <c>ss_tag_frequency</c> holds.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>> TagFrequency { get; }

    /// <summary>The images that were held out to measure the loss on, each once and unchanged; null where none were.</summary>
    public TrainingDataset? Validation { get; internal init; }

    /// <summary>Warnings: what the user should know although training can begin.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>
    /// The warnings, and those that depend on a model, for those who have none at hand: a run, which has one, warns of the sizes that do
    /// not suit it.
    /// </summary>
    internal IEnumerable<string> Notes => Parts.Select(part => part.Options.Resolution).Distinct()
        .Where(size => size is { } given && (given.Width % 64 != 0 || given.Height % 64 != 0))
        .Select(size =>
            $"The resolution {size} is not a multiple of 64, to which Stable Diffusion was trained (SDXL: 32); it works, but edges may "
                + $"suffer.").Concat(Warnings);

    /// <summary>The training size of all images; null when they differ.</summary>
    public PixelSize? CommonSize => Buckets is [var only] ? only.Size : null;

    /// <summary>
    /// Reads every image as training would, with second image and mask and those held out too, and reports what cannot be read: headers,
    /// which building looks at, do not show a file that was cut short. Caching latents does the same on the way.
    /// </summary>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>One problem for each bad image; empty when all can be read.</returns>
    public IReadOnlyList<OptionProblem> CheckImages(IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        [.. SampleFiles.Bad(AllSamples, progress, cancellationToken).Select(bad => bad.Fault)];

    /// <summary>
    /// The same data set without the images that cannot be read, each with a warning, where <see cref="BadImagePolicy.Skip"/> asks for
    /// it. Reads every image, as <see cref="CheckImages"/> does. A run does so before its first step.
    /// </summary>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>This very data set when all can be read; otherwise one that is built anew from the same sources.</returns>
    /// <exception cref="InvalidOptionsException">Bad images are not to be skipped, and all are listed; or no image is left.</exception>
    public TrainingDataset WithoutBadImages(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var bad = SampleFiles.Bad(AllSamples, progress, cancellationToken);
        if (bad.Count == 0) return this;
        var rest = DatasetAssembly.Inspect(_plan, bad);
        return rest.Dataset ?? throw new InvalidOptionsException(rest.Problems);
    }

    /// <summary>
    /// Looks at every image once and tells all that is wrong or odd: files that cannot be read, images that are too small, of odd shape or
    /// much cut away, missing and too long captions, captions that are always dropped, images that are there twice.
    /// </summary>
    /// <param name="options">Where odd begins; null for the defaults.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. Findings are no exception: see
    /// <see cref="DatasetCheckReport.ThrowIfErrors"/>.</exception>
    public DatasetCheckReport Check(DatasetCheckOptions? options = null, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        DatasetCheck.Run(this, options ?? new(), progress, cancellationToken);

    /// <summary>
    /// Writes an HTML page that shows the images as the model will see them, bucket by bucket: what sd-scripts calls <c>debug_dataset</c>.
    /// </summary>
    /// <param name="path">The page, one file; complete or absent afterwards.</param>
    /// <param name="options">How much it shows; null for the defaults.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; nothing is written.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or there is such a file and it must not be replaced.</exception>
    /// <exception cref="IOException">The page cannot be written.</exception>
    public void Preview(string path, PreviewOptions? options = null, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        DatasetPreview.Write(this, path, options ?? new(), progress, cancellationToken);

    /// <summary>
    /// Encodes all images into files ahead of time, so that runs find them (<see cref="CacheOptions.LatentsToDisk"/>). Files that serve are
    /// kept.
    /// </summary>
    /// <param name="encoder">The VAE's encoder.</param>
    /// <param name="options">Where the files go; null writes them beside the images.</param>
    /// <param name="seed">Seeds the samples.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; what was written stays.</param>
    /// <returns>What was there already, and what was encoded.</returns>
    /// <exception cref="InvalidOptionsException">Options or augmentations do not allow it, or images cannot be decoded; all of them are
    /// listed.</exception>
    /// <exception cref="InvalidFileException">The latents of an image are not finite.</exception>
    public CacheReport PrepareCaches(ILatentEncoder encoder, CacheOptions? options = null, long seed = 42,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var cache = LatentCache.Build(this, encoder, new NamedSeeds(seed), (options ?? new()) with { LatentsToDisk = true },
            progress, cancellationToken);
        return cache.Report;
    }

    /// <summary>The data set in a few lines for people: folders, counts, sizes, warnings.</summary>
    public string Report() => DatasetReport.Write(this);
}
