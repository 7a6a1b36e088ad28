namespace StableTune.Data;

/// <summary>
/// The latents of all images of a data set, in memory or in files: the VAE runs once, or not at all where files are left from an earlier
/// run.
/// </summary>
/// <remarks>
/// As in the reference systems, each image has one random sample of its distribution, drawn once and kept unscaled, and another of its
/// mirror image where that is trained too; <see cref="LatentPosterior.MeanStd"/> keeps the distribution instead. Masks are kept along.
/// Latents in files are read when they are used: a data set may be larger than the memory.
/// </remarks>
public sealed class LatentCache : IDisposable
{
    private readonly CachedLatents?[] _kept;
    private readonly CacheOptions _options;
    private readonly VaeIdentity _vae;
    private readonly TrainingDataset _dataset;
    private readonly LatentStore? _store;
    private readonly PrecomputedLatents _given;
    private List<TrainingSample> _missing = [];
    private bool _disposed;

    private LatentCache(TrainingDataset dataset, VaeIdentity vae, CacheOptions options)
    {
        (_dataset, _vae, _options, _kept) = (dataset, vae, options, new CachedLatents?[dataset.Samples.Count]);
        _given = new(vae);
        if (options.LatentsToDisk)
            _store = options.Directory is { } folder ? new FolderLatentStore(Path.Combine(folder, "latents"), vae, options)
                : new NpzLatentStore(dataset.Samples, vae, options);
    }

    /// <summary>Memory that the latents and masks take, bytes; those in files take none.</summary>
    public long Bytes => _kept.Sum(latents => latents?.Bytes ?? 0);

    /// <summary>The images that are still to be encoded.</summary>
    public IReadOnlyList<TrainingSample> Missing => _missing;

    /// <summary>What was found when the cache was opened.</summary>
    public CacheReport Report { get; private set; } = new(0, 0);

    /// <summary>Whether an image is mirrored at random without an option, because mirrored latents came with it.</summary>
    internal bool MirrorsAtRandom(TrainingSample sample) => sample.Item.LatentsPath is null
        && StoreOf(sample)?.MirrorsAtRandom(sample) == true;

    /// <summary>Whether batches read files.</summary>
    internal bool ReadsFiles => _store is not null || _dataset.Samples.Any(sample => sample.Item.LatentsPath is not null);

    /// <summary>
    /// What prevents caching: one problem for each augmentation that changes pixels in more than mirroring them. Empty when it is possible.
    /// </summary>
    public static IEnumerable<OptionProblem> Validate(TrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        var augmented = dataset.Samples.Select(sample => sample.Subset.Augmentation).Distinct().SelectMany(options => options.Uncacheable)
            .Distinct()
            .Select(option => new OptionProblem($"AugmentationOptions.{option.Option}", option.Value,
                "images that differ from draw to draw cannot be encoded once", "turn it off, or do not cache latents"));
        return dataset.Samples.Any(sample => sample.Item.LatentsPath is not null && sample.Subset.Augmentation.Flip)
            ? augmented.Append(new("AugmentationOptions.Flip", true, "latents that came with the data set have no mirrored form",
                "turn it off, or do not cache latents"))
            : augmented;
    }

    /// <summary>
    /// Looks for the latents of all images, before a VAE is there: when <see cref="Missing"/> is empty it need not be loaded, otherwise
    /// <see cref="Fill"/> completes the cache. What no longer fits, or cannot be read, counts as missing.
    /// </summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="vae">Which VAE the latents must be from.</param>
    /// <param name="options">Where files are, and how they are looked at; null takes the defaults: none, all in memory.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work; or latents are missing whose images are gone; or latents or masks
    /// that came with the data set are damaged.</exception>
    public static LatentCache Open(TrainingDataset dataset, VaeIdentity vae, CacheOptions? options = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(vae);
        options ??= new();
        InvalidOptionsException.ThrowIfAny([.. options.Validate(), .. Validate(dataset)]);
        var cache = new LatentCache(dataset, vae, options);
        cache.Look(progress, cancellationToken);
        return cache;
    }

    /// <summary>Opens the cache and fills it: each image that is not in files is encoded once.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="encoder">The VAE's encoder.</param>
    /// <param name="seeds">The seeds of the run; the streams "vae" and "vae flipped" are used.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="progress">Told after each call of the VAE; counts images.</param>
    /// <param name="cancellationToken">Ends the work; what was cached in memory is freed.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or images cannot be decoded: then all of them are
    /// listed.</exception>
    /// <exception cref="InvalidFileException">The latents of an image are not finite.</exception>
    public static LatentCache Build(TrainingDataset dataset, ILatentEncoder encoder, NamedSeeds seeds, CacheOptions? options = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        var cache = Open(dataset, encoder.Identity, options, progress, cancellationToken);
        try
        {
            cache.Fill(encoder, seeds, progress, cancellationToken);
            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Encodes what is missing. Each image's sample depends on the seed and the image's place in the data set alone, neither on the batch
    /// size nor on the order of encoding. What was encoded stays when the work is ended: another call, or the next run where it is in
    /// files, goes on from there.
    /// </summary>
    /// <param name="encoder">As for <see cref="Build"/>.</param>
    /// <param name="seeds">As for <see cref="Build"/>.</param>
    /// <param name="progress">As for <see cref="Build"/>.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="InvalidOptionsException">Images cannot be decoded; all of them are listed.</exception>
    /// <exception cref="InvalidFileException">The latents of an image are not finite.</exception>
    public void Fill(ILatentEncoder encoder, NamedSeeds seeds, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ObjectDisposedException.ThrowIf(_disposed, this);
        var kept = new HashSet<int>();
        try
        {
            new LatentEncoding(encoder, seeds, _options).Run(_missing, KeepOne, progress, cancellationToken);
        }
        finally
        {
            _missing = [.. _missing.Where(sample => !kept.Contains(sample.Index))];
            _store?.Settle();
        }

        void KeepOne(TrainingSample sample, CachedLatents latents)
        {
            Keep(sample, latents);
            kept.Add(sample.Index);
        }
    }

    /// <summary>As <see cref="Fill"/>, shared with other processes that fill the same cache.</summary>
    internal void FillShared(ICacheSharing sharing, Func<ILatentEncoder> encoder, NamedSeeds seeds, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        // Those that lie in no file are missing in all processes alike.
        TrainingSample[] inFiles = [.. _missing.Where(sample => StoreOf(sample) is not null)];
        TrainingSample[] inMemory = [.. _missing.Where(sample => StoreOf(sample) is null)];
        if (_store is not null)
            SharedFilling.InFiles(sharing, inFiles, sample => sample.Index, Compute, samples =>
                [.. samples.Where(sample => _store.Find(sample).State != CacheState.Present)]);
        SharedFilling.InMemory(sharing, inMemory, Compute, (writer, sample) => _kept[sample.Index]!.Write(writer),
            (reader, sample) => _kept[sample.Index] = CachedLatents.Read(reader));
        _missing = [];
        _store?.Settle();

        void Compute(IReadOnlyList<TrainingSample> samples)
        {
            if (samples.Count > 0) new LatentEncoding(encoder(), seeds, _options).Run(samples, Keep, progress, cancellationToken);
        }
    }

    /// <summary>Puts cached latents together, scaled.</summary>
    /// <param name="samples">Indices of samples of one training size.</param>
    /// <returns>A new tensor, [B, 4, H/8, W/8], float32: the samples, or the means where the cache keeps distributions.</returns>
    /// <exception cref="ObjectDisposedException">The cache was freed.</exception>
    /// <exception cref="InvalidFileException">A file was changed or removed since the cache was opened.</exception>
    public Tensor Collate(IReadOnlyList<int> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        using var scope = NewDisposeScope();
        return stack([.. samples.Select(index => Use(_dataset.Samples[index], latents => latents.Draw(null)))]).mul_(_vae.ScalingFactor)
            .MoveToOuterDisposeScope();
    }

    /// <summary>
    /// As <see cref="Collate(IReadOnlyList{int})"/>, mirrored where chance decided so, with masks: [B, 1, H/8, W/8], or null when no image
    /// has one.
    /// </summary>
    internal (Tensor Latents, Tensor? Masks) Collate(IReadOnlyList<TrainingSample> samples, IReadOnlyList<ImageDraw> draws, Func<int,
        long> seed)
    {
        using var scope = NewDisposeScope();
        var size = samples[0].Framing.Size;
        var masks = PreparedImages.HaveMasks(samples, draws) ? PreparedImages.NewMasks(samples.Count, size) : null;
        var drawn = new Tensor[samples.Count];
        for (var i = 0; i < drawn.Length; i++)
        {
            var (sample, draw, place) = (samples[i], draws[i], i);
            drawn[i] = Use(sample, latents =>
            {
                if (masks is not null) Mask(sample, draw, latents.Mask, PreparedImages.Slice(masks, place));
                return (draw.Flip ? latents.Flipped! : latents).Draw(seed(place));
            });
        }

        return (stack(drawn).mul_(_vae.ScalingFactor).MoveToOuterDisposeScope(), masks?.MoveToOuterDisposeScope());
    }

    /// <summary>Frees the latents in memory.</summary>
    public void Dispose()
    {
        _disposed = true;
        for (var i = 0; i < _kept.Length; i++)
        {
            _kept[i]?.Dispose();
            _kept[i] = null;
        }
    }

    private static void Mask(TrainingSample sample, ImageDraw draw, float[]? mask, Span<float> values)
    {
        var size = sample.Framing.Size;
        var (width, height) = (size.Width / MaskValues.Scale, size.Height / MaskValues.Scale);
        if (mask is null) values.Fill(1);
        else mask.CopyTo(values);
        if (draw.Flip) MaskValues.Flip(values, width);
        if (sample.Item.MaskPath is not null) SampleMask.Given(sample, draw.Flip, values);
        if (draw.Disc is { } disc) MaskValues.Limit(values, width, height, disc);
    }

    /// <summary>Files of latents go with files of images: those of other pictures stay in memory.</summary>
    private LatentStore? StoreOf(TrainingSample sample) => sample.Item.Image is null ? _store : null;

    /// <summary>Hands one image's latents to a function; those from files live only so long.</summary>
    private Tensor Use(TrainingSample sample, Func<CachedLatents, Tensor> use)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_kept[sample.Index] is { } kept) return use(kept);
        var store = (sample.Item.LatentsPath is null ? StoreOf(sample) : _given)
            ?? throw new InvalidOperationException("The cache was opened, but not filled.");
        using var latents = store.Read(sample);
        return use(latents);
    }

    private void Keep(TrainingSample sample, CachedLatents latents)
    {
        if (StoreOf(sample) is not { } store)
        {
            _kept[sample.Index] = latents;
            return;
        }

        using (latents)
        {
            // The same image in another subset, or another run, may have been faster; what it wrote must not change under it.
            if (_options.SkipCheck || store.Find(sample).State != CacheState.Present) store.Write(sample, latents);
        }
    }

    private void Look(IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var (findings, masks) = (new CacheFinding?[_dataset.Samples.Count], new OptionProblem?[_dataset.Samples.Count]);
        var done = 0;
        Parallel.For(0, findings.Length, new ParallelOptions { CancellationToken = cancellationToken }, i =>
        {
            var sample = _dataset.Samples[i];
            findings[i] = (sample.Item.LatentsPath is null ? StoreOf(sample) : _given)?.Find(sample);
            masks[i] = MaskFault(sample);
            if (_store is not null)
                progress?.Report(new() { Stage = "looking for cached latents", Done = Interlocked.Increment(ref done),
                    Total = findings.Length });
        });
        _store?.Settle();
        InvalidOptionsException.ThrowIfAny([.. Problems(findings), .. masks.OfType<OptionProblem>()]);
        _missing = [.. _dataset.Samples.Where(sample => findings[sample.Index]?.State != CacheState.Present)];
        if (ReadsFiles) Report = CacheReport.Of([.. findings.OfType<CacheFinding>()], "cached latents");
    }

    /// <summary>
    /// Masks that came with the data set are read at each use: it is better said now than in the middle of an epoch that one does not
    /// serve.
    /// </summary>
    private static OptionProblem? MaskFault(TrainingSample sample)
    {
        if (sample.Item.MaskPath is null) return null;
        try
        {
            SampleMask.Check(sample);
            return null;
        }
        catch (InvalidFileException e)
        {
            return e.AsProblem("DatasetItem.MaskPath");
        }
    }

    private IEnumerable<OptionProblem> Problems(CacheFinding?[] findings)
    {
        foreach (var sample in _dataset.Samples)
        {
            if (findings[sample.Index] is { State: CacheState.Present }) continue;
            if (sample.Item.LatentsPath is not null) yield return PrecomputedLatents.Problem(findings[sample.Index]!);
            else if (sample.Item.IsCachedOnly)
                yield return new("DatasetItem.Path", sample.Path, findings[sample.Index] is { } finding
                    ? $"the image is gone, and its latents do not serve ({finding.Path}: {finding.Reason ?? "not there"})"
                        : "the image is gone, and latents in files are not used",
                    "put the image back, take it out of the data set, or set CacheOptions.LatentsToDisk");
        }
    }
}
