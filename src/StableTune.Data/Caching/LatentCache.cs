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
    /// <remarks>As in the reference systems, each image has one random sample of its distribution, drawn once and kept unscaled.</remarks>
    public sealed class LatentCache : IDisposable
    {
        private readonly Tensor?[] _unscaledLatents;
        private readonly double _scalingFactor;

        private LatentCache(int count, double scalingFactor) => (_unscaledLatents, _scalingFactor) = (new Tensor?[count], scalingFactor);

        /// <summary>Memory that the latents take, bytes.</summary>
        public long Bytes => _unscaledLatents.Sum(latents => latents is null ? 0 : latents.numel() * sizeof(float));

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
            InvalidOptionsException.ThrowIfAny(options.Validate());
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
            var latents = stack([.. samples.Select(Unscaled)]);
            return latents.mul_(_scalingFactor).MoveToOuterDisposeScope();
        }

        /// <summary>One image's latents, unscaled, [4, H/8, W/8]. Belongs to the cache.</summary>
        internal Tensor Unscaled(int sample) => _unscaledLatents[sample] ?? throw new ObjectDisposedException(nameof(LatentCache));

        /// <summary>Frees the latents.</summary>
        public void Dispose()
        {
            for (var i = 0; i < _unscaledLatents.Length; i++)
            {
                _unscaledLatents[i]?.Dispose();
                _unscaledLatents[i] = null;
            }
        }

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
            var moments = encoder.Encode(images.Pixels!);
            var mean = moments.Mean.to(ScalarType.Float32).cpu();                                        // [B, 4, h, w]
            var deviation = (moments.LogVariance.to(ScalarType.Float32).cpu() * 0.5).exp();              // [B, 4, h, w]
            for (var i = 0; i < images.Samples.Count; i++)
            {
                var sample = images.Samples[i];
                using var random = new Generator((ulong)seeds.For("vae", sample.Index));
                var noise = randn(mean.shape[1..], dtype: ScalarType.Float32, generator: random);        // [4, h, w]
                var latents = mean[i] + (deviation[i] * noise);
                if (!latents.isfinite().all().ToBoolean())
                    throw NotFinite(sample);
                _unscaledLatents[sample.Index] = latents.DetachFromDisposeScope();
            }
        }

        private static InvalidFileException NotFinite(TrainingSample sample) => new(sample.Path,
            "the VAE gave latents that are not finite numbers.",
            "Run the VAE in float32 (no_half_vae), or use a VAE that was repaired for half precision.");
    }
}
