using StableTune.Data;

namespace StableTune
{
    /// <summary>Options of caching latents.</summary>
    public sealed record LatentCacheOptions : OptionsBase
    {
        /// <summary>Images to one call of the VAE. Changes the speed and the memory needed, not the latents. Default 1.</summary>
        public int VaeBatchSize { get; init; } = 1;

        /// <summary>Threads that read images ahead; 0 does it in the encoding thread. Default: one less than there are processors, 1 to 8.</summary>
        public int Workers { get; init; } = new BatchLoaderOptions().Workers;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            if (VaeBatchSize < 1) yield return Problem(VaeBatchSize, "the VAE encodes at least 1 image at once", "1 to 4 is customary");
            if (Workers < 0) yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the encoding thread");
        }
    }
}

namespace StableTune.Data
{
    /// <summary>The latents of all images of a data set, in host memory: the VAE runs once and can then be freed.</summary>
    /// <remarks>
    /// As in the reference systems, each image has one random sample of its distribution, drawn once and kept unscaled, and another of its
    /// mirror image where that is trained too. Masks are kept along.
    /// </remarks>
    public sealed class LatentCache : IDisposable
    {
        private readonly Tensor?[] _unscaledLatents, _flippedLatents;
        private readonly float[]?[] _masks;
        private readonly double _scalingFactor;

        private LatentCache(int count, double scalingFactor) =>
            (_unscaledLatents, _flippedLatents, _masks, _scalingFactor) = (new Tensor?[count], new Tensor?[count], new float[]?[count], scalingFactor);

        /// <summary>Memory that the latents and masks take, bytes.</summary>
        public long Bytes => sizeof(float) * (_unscaledLatents.Concat(_flippedLatents).Sum(latents => latents?.numel() ?? 0) + _masks.Sum(mask => mask?.Length ?? 0));

        /// <summary>What prevents caching: one problem for each augmentation that changes pixels in more than mirroring them. Empty when it is possible.</summary>
        public static IEnumerable<OptionProblem> Validate(TrainingDataset dataset)
        {
            ArgumentNullException.ThrowIfNull(dataset);
            return dataset.Samples.Select(sample => sample.Subset.Augmentation).Distinct().SelectMany(options => options.Uncacheable).Distinct()
                .Select(option => new OptionProblem($"AugmentationOptions.{option.Option}", option.Value,
                    "images that differ from draw to draw cannot be encoded once", "turn it off, or do not cache latents"));
        }

        /// <summary>
        /// Encodes every image once. Each image's sample depends on the seed and the image's place in the data set alone, neither on
        /// the batch size nor on the order of encoding.
        /// </summary>
        /// <param name="dataset">The data set.</param>
        /// <param name="encoder">The VAE's encoder.</param>
        /// <param name="seeds">The seeds of the run; the stream "vae" is used.</param>
        /// <param name="options">Null takes the defaults.</param>
        /// <param name="progress">Told after each call of the VAE; counts images.</param>
        /// <param name="cancellationToken">Ends the work; what was cached is freed.</param>
        /// <exception cref="InvalidOptionsException">The options cannot work, or images cannot be decoded: then all of them are listed.</exception>
        /// <exception cref="InvalidFileException">The latents of an image are not finite.</exception>
        public static LatentCache Build(TrainingDataset dataset, ILatentEncoder encoder, NamedSeeds seeds, LatentCacheOptions? options = null,
            IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(dataset);
            ArgumentNullException.ThrowIfNull(encoder);
            options ??= new();
            InvalidOptionsException.ThrowIfAny([.. options.Validate(), .. Validate(dataset)]);
            var cache = new LatentCache(dataset.Samples.Count, encoder.ScalingFactor);
            try
            {
                cache.Fill(dataset, encoder, seeds, options, progress, cancellationToken);
                return cache;
            }
            catch
            {
                cache.Dispose();
                throw;
            }
        }

        /// <summary>Puts cached latents together, scaled.</summary>
        /// <param name="samples">Indices of samples of one training size.</param>
        /// <returns>A new tensor, [B, 4, H/8, W/8], float32.</returns>
        /// <exception cref="ObjectDisposedException">The cache was freed.</exception>
        public Tensor Collate(IReadOnlyList<int> samples)
        {
            ArgumentNullException.ThrowIfNull(samples);
            using var scope = NewDisposeScope();
            return Collate([.. samples.Select(Unscaled)]).MoveToOuterDisposeScope();
        }

        /// <summary>As <see cref="Collate(IReadOnlyList{int})"/>, mirrored where chance decided so.</summary>
        internal Tensor Collate(IReadOnlyList<int> samples, IReadOnlyList<ImageDraw> draws)
        {
            using var scope = NewDisposeScope();
            return Collate([.. samples.Select((sample, i) => draws[i].Flip ? Flipped(sample) : Unscaled(sample))]).MoveToOuterDisposeScope();
        }

        /// <summary>Cached masks, mirrored and limited as chance decided: [B, 1, H/8, W/8]; null when no image has one.</summary>
        internal Tensor? Masks(IReadOnlyList<TrainingSample> samples, IReadOnlyList<ImageDraw> draws)
        {
            if (!PreparedImages.HaveMasks(samples, draws)) return null;
            using var scope = NewDisposeScope();
            var size = samples[0].Framing.Size;
            var (masks, width) = (PreparedImages.NewMasks(samples.Count, size), size.Width / MaskValues.Scale);
            for (var i = 0; i < samples.Count; i++)
            {
                var values = PreparedImages.Slice(masks, i);
                if (_masks[samples[i].Index] is { } cached) cached.CopyTo(values);
                else values.Fill(1);
                if (draws[i].Flip) MaskValues.Flip(values, width);
                if (draws[i].Disc is { } disc) MaskValues.Limit(values, width, size.Height / MaskValues.Scale, disc);
            }

            return masks.MoveToOuterDisposeScope();
        }

        /// <summary>One image's latents, unscaled, [4, H/8, W/8]. Belongs to the cache.</summary>
        internal Tensor Unscaled(int sample) => _unscaledLatents[sample] ?? throw new ObjectDisposedException(nameof(LatentCache));

        /// <summary>The same of its mirror image.</summary>
        internal Tensor Flipped(int sample) => _flippedLatents[sample] ?? throw new ObjectDisposedException(nameof(LatentCache));

        /// <summary>Frees the latents.</summary>
        public void Dispose()
        {
            foreach (var latents in new[] { _unscaledLatents, _flippedLatents })
                for (var i = 0; i < latents.Length; i++)
                {
                    latents[i]?.Dispose();
                    latents[i] = null;
                }
        }

        private Tensor Collate(Tensor[] latents) => stack(latents).mul_(_scalingFactor);

        private void Fill(TrainingDataset dataset, ILatentEncoder encoder, NamedSeeds seeds, LatentCacheOptions options,
            IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
        {
            TrainingSample[][] calls = [.. dataset.Samples.GroupBy(sample => sample.Framing.Size).SelectMany(same => same.Chunk(options.VaeBatchSize))];
            var problems = new List<OptionProblem>();
            var done = 0;
            using var prefetch = new OrderedPrefetch<DecodedImages>(calls.Length, options.Workers, 2 * options.Workers,
                (index, stop) => DecodedImages.Read(calls[index], stop), images => images.Dispose());
            using var withoutGradients = no_grad();
            while (prefetch.Next(cancellationToken) is { } next)
            {
                using var images = next;
                problems.AddRange(images.Problems);
                // Once something is wrong nothing is encoded any more, but the other files are still looked at.
                if (problems.Count == 0) Encode(images, encoder, seeds);
                done += images.Samples.Count;
                progress?.Report(new() { Stage = "caching latents", Step = done, TotalSteps = dataset.Samples.Count });
            }

            InvalidOptionsException.ThrowIfAny(problems);
        }

        private void Encode(DecodedImages images, ILatentEncoder encoder, NamedSeeds seeds)
        {
            using var scope = NewDisposeScope();
            Encode(images.Pixels!, images.Samples, encoder, seeds, "vae", _unscaledLatents);
            TrainingSample[] mirrored = [.. images.Samples.Where(sample => sample.Subset.Augmentation.Flip)];
            if (mirrored.Length == images.Samples.Count) Encode(images.Pixels!.flip(3), mirrored, encoder, seeds, "vae flipped", _flippedLatents);
            else if (mirrored.Length > 0)
            {
                var rows = images.Samples.Select((sample, i) => (sample, i)).Where(pair => pair.sample.Subset.Augmentation.Flip).Select(pair => images.Pixels![pair.i]);
                Encode(stack([.. rows]).flip(3), mirrored, encoder, seeds, "vae flipped", _flippedLatents);
            }

            if (images.Masks is not { } masks) return;
            for (var i = 0; i < images.Samples.Count; i++)
                if (images.Samples[i].Subset.Mask != LossMask.None) _masks[images.Samples[i].Index] = PreparedImages.Slice(masks, i).ToArray();
        }

        private static void Encode(Tensor pixels, IReadOnlyList<TrainingSample> samples, ILatentEncoder encoder, NamedSeeds seeds, string stream, Tensor?[] latents)
        {
            var moments = encoder.Encode(pixels);
            var mean = moments.Mean.to(ScalarType.Float32).cpu();                                        // [B, 4, h, w]
            var deviation = (moments.LogVariance.to(ScalarType.Float32).cpu() * 0.5).exp();              // [B, 4, h, w]
            for (var i = 0; i < samples.Count; i++)
            {
                using var random = new Generator((ulong)seeds.For(stream, samples[i].Index));
                var noise = randn(mean.shape[1..], dtype: ScalarType.Float32, generator: random);        // [4, h, w]
                var sampled = mean[i] + (deviation[i] * noise);
                if (!sampled.isfinite().all().ToBoolean()) throw NotFinite(samples[i]);
                latents[samples[i].Index] = sampled.DetachFromDisposeScope();
            }
        }

        private static InvalidFileException NotFinite(TrainingSample sample) => new(sample.Path,
            "the VAE gave latents that are not finite numbers.",
            "Run the VAE in float32 (no_half_vae), or use a VAE that was repaired for half precision.");
    }
}
