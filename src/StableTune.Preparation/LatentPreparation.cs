using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>Makes latents ahead of time.</summary>
public static class LatentPreparation
{
    /// <summary>
    /// Chooses the training size of every image, notes it as <c>train_resolution</c> in a metadata file, and encodes the images into files,
    /// which a run with <see cref="CacheOptions.LatentsToDisk"/> finds: what <c>prepare_buckets_latents</c> does.
    /// </summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="encoder">The VAE's encoder; null notes sizes only.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; latents that were written stay, the metadata file is not written.</param>
    /// <returns>How many images were noted, and those that could not be read.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The file to add to is broken, the folder cannot be listed, or latents are not
    /// finite.</exception>
    public static PreparationReport Run(LatentPreparationOptions options, ILatentEncoder? encoder = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var metadata = options.Input is { } input ? MetadataFile.Load(input) : [];
        var (images, leftOut) = ImageSearch.In(options.ImageFolder!, options.Recursive);
        var (skipped, items) = (new List<SkippedFile>(), new List<DatasetItem>());
        var bucketing = new WholeEights(options.Buckets);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var chosen = new List<(PixelSize Image, PixelSize Chosen)>();
        foreach (var (path, image) in images)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var key = options.FullPath ? image : ImageSearch.ShortKey(options.ImageFolder!, path);
            try
            {
                if (!keys.Add(key)) throw new ArgumentException($"its key \"{key}\" is that of another image: set FullPath, or rename one");
                var size = ImageFile.Load(path).Size;
                var training = bucketing.Frame(size, options.Resolution).Size;
                metadata[key] = (metadata.GetValueOrDefault(key) ?? new ImageMetadata()) with { TrainResolution = training };
                chosen.Add((size, training));
                items.Add(new DatasetItem(path, size, ""));
            }
            catch (Exception e) when (e is ArgumentException || FileProblems.IsAboutFiles(e))
            {
                skipped.Add(new(path, FileProblems.Reason(e)));
            }

            progress?.Report(new() { Stage = "choosing sizes", Done = items.Count + skipped.Count, Total = images.Count });
        }

        if (encoder is not null && items.Count > 0) Encode(items, bucketing, options, encoder, progress, cancellationToken);
        MetadataFile.Save(options.Output!, metadata);
        return new PreparationReport(items.Count, skipped).And(leftOut).With(chosen);
    }

    /// <summary>
    /// Encodes the images of a folder that <see cref="SdTrainerBucketing"/> wrote, and writes each one's latents as <c>.npy</c>, float32,
    /// unscaled: what sd-trainer's <c>latent.py</c> does. Latents that are there are kept.
    /// </summary>
    /// <param name="folder">The folder with <c>buckets.json</c> and the images.</param>
    /// <param name="destination">Where the latents go; null for <c>latents</c> in the folder, where training looks for them.</param>
    /// <param name="encoder">The VAE's encoder.</param>
    /// <param name="options">How many images the VAE takes at once, and threads; null takes the defaults.</param>
    /// <param name="seed">Seeds the samples.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; latents that were written stay.</param>
    /// <returns>How many images have latents now, and those that have no image.</returns>
    /// <exception cref="InvalidOptionsException">Images cannot be decoded; all of them are listed.</exception>
    /// <exception cref="InvalidFileException">The list is broken, or latents are not finite.</exception>
    public static PreparationReport RunSdTrainer(string folder, string? destination, ILatentEncoder encoder, CacheOptions? options = null,
        long seed = 42,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(encoder);
        options ??= new();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var source = new SdTrainerSource(folder);
        var (skipped, items, done) = (new List<SkippedFile>(), new List<DatasetItem>(), 0);
        foreach (var (name, size) in source.Names())
        {
            if (File.Exists(Target(name))) done++;
            else if (source.ImageOf(name) is { } image) items.Add(new DatasetItem(image, size, "") { PreparedFrom = size, Group = name });
            else skipped.Add(new(Path.Combine(folder, name + ".png"), "the image is missing"));
        }

        if (items.Count > 0)
        {
            var dataset = new DatasetBuilder().Add(new ItemList(items)).WithResolution(512).Build();
            new LatentEncoding(encoder, new NamedSeeds(seed), options).Run(dataset.Samples, Keep, progress, cancellationToken);
        }

        return new(done + items.Count, skipped);

        string Target(string name) => Path.Combine(destination ?? Path.Combine(folder, "latents"), name + ".npy");

        void Keep(TrainingSample sample, CachedLatents latents)
        {
            using (latents)
                Formats.NpyFile.Write(Target(sample.Folder), new Formats.NpyArray("latents", Formats.TensorDType.F32,
                    latents.Latents.shape, latents.Latents.contiguous().bytes.ToArray()).ToPayload());
        }
    }

    private static void Encode(List<DatasetItem> items, IBucketing bucketing, LatentPreparationOptions options, ILatentEncoder encoder,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var side = Math.Max(8, options.Resolution.Width / 8 * 8);
        var subset = new SubsetOptions { Augmentation = new() { Flip = options.Flip }, Mask = options.AlphaMask ? LossMask.Alpha
            : LossMask.None };
        var dataset = new DatasetBuilder().Add(new ItemList(items), subset)
            .WithResolution(side, Math.Max(8, options.Resolution.Height / 8 * 8))
            .WithBucketing(new Fixed(bucketing, options.Resolution)).Build();
        dataset.PrepareCaches(encoder, options.Cache, progress: progress, cancellationToken: cancellationToken);
    }

    private sealed class ItemList(List<DatasetItem> items) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => items;
    }

    /// <summary>Sizes of any step, cut down to multiples of 8 as the reference notes them.</summary>
    private sealed class WholeEights(AspectBuckets buckets) : IBucketing
    {
        public bool HasBuckets => true;

        public IEnumerable<OptionProblem> Validate(PixelSize resolution) => [];

        public Framing Frame(PixelSize image, PixelSize resolution)
        {
            var framing = buckets.Frame(image, resolution);
            return framing with { Size = new(framing.Size.Width / 8 * 8, framing.Size.Height / 8 * 8) };
        }
    }

    /// <summary>The resolution that was asked for, whatever the data set's is rounded to.</summary>
    private sealed class Fixed(IBucketing inner, PixelSize resolution) : IBucketing
    {
        public bool HasBuckets => true;

        public IEnumerable<OptionProblem> Validate(PixelSize rounded) => [];

        public Framing Frame(PixelSize image, PixelSize rounded) => inner.Frame(image, resolution);
    }
}
