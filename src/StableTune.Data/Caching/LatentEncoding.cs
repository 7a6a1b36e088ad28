using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>Runs the VAE over images: reads them ahead with several threads, encodes those of one size together.</summary>
internal sealed class LatentEncoding(ILatentEncoder encoder, NamedSeeds seeds, CacheOptions options)
{
    /// <summary>Encodes images and hands each one's latents, unscaled, to a receiver that owns them from then on.</summary>
    /// <exception cref="InvalidOptionsException">Images cannot be decoded; all of them are listed.</exception>
    /// <exception cref="InvalidFileException">The latents of an image are not finite.</exception>
    internal void Run(IReadOnlyList<TrainingSample> samples, Action<TrainingSample, CachedLatents> keep, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        TrainingSample[][] calls = [.. samples.GroupBy(sample => sample.Framing.Size).SelectMany(same => same.Chunk(options.VaeBatchSize))];
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
            if (problems.Count == 0) Encode(images, keep);
            done += images.Samples.Count;
            progress?.Report(new() { Stage = "caching latents", Done = done, Total = samples.Count });
        }

        InvalidOptionsException.ThrowIfAny(problems);
    }

    private void Encode(DecodedImages images, Action<TrainingSample, CachedLatents> keep)
    {
        using var scope = NewDisposeScope();
        var (pixels, samples) = (images.Pixels!, images.Samples);
        var (plain, flipped) = (new CachedLatents?[samples.Count], new CachedLatents?[samples.Count]);
        var handed = 0;
        try
        {
            Encode(pixels, samples, [.. Enumerable.Range(0, samples.Count)], "vae", plain);
            int[] mirrored = [.. Enumerable.Range(0, samples.Count).Where(i => samples[i].Subset.Augmentation.Flip)];
            if (mirrored.Length == samples.Count) Encode(pixels.flip(3), samples, mirrored, "vae flipped", flipped);
            else if (mirrored.Length > 0)
                Encode(stack([.. mirrored.Select(i => pixels[i])]).flip(3), samples, mirrored, "vae flipped", flipped);
            for (; handed < samples.Count; handed++)
            {
                var one = new CachedLatents(plain[handed]!.Latents, plain[handed]!.LogVariance)
                {
                    Flipped = flipped[handed],
                    Mask = images.Masks is { } masks
                        && samples[handed].Subset.Mask != LossMask.None ? PreparedImages.Slice(masks, handed).ToArray() : null,
                };
                keep(samples[handed], one);
            }
        }
        catch
        {
            for (var i = handed; i < samples.Count; i++)
            {
                plain[i]?.Dispose();
                flipped[i]?.Dispose();
            }

            throw;
        }
    }

    /// <param name="pixels">[rows, 3, H, W].</param>
    /// <param name="samples">The images of the call.</param>
    /// <param name="rows">Which of them the rows are.</param>
    /// <param name="stream">The random stream of their samples.</param>
    /// <param name="encoded">Receives them at the images' places.</param>
    private void Encode(Tensor pixels, IReadOnlyList<TrainingSample> samples, int[] rows, string stream, CachedLatents?[] encoded)
    {
        var moments = encoder.Encode(pixels);
        var mean = moments.Mean.to(ScalarType.Float32).cpu();                                        // [rows, 4, h, w]
        var logVariance = moments.LogVariance.to(ScalarType.Float32).cpu();                          // [rows, 4, h, w]
        for (var row = 0; row < rows.Length; row++)
        {
            var sample = samples[rows[row]];
            using var random = new Generator((ulong)seeds.For(stream, sample.Index));
            var drawn = new LatentDistribution(mean[row], logVariance[row]).Sample(random);           // [4, h, w]
            if (!drawn.isfinite().all().ToBoolean()) throw NotFinite(sample);
            encoded[rows[row]] = options.Posterior == LatentPosterior.Sample ? new(drawn)
                : new(mean[row].clone(), logVariance[row].clone());
        }
    }

    private static InvalidFileException NotFinite(TrainingSample sample) => new(sample.Path,
        "the VAE gave latents that are not finite numbers.",
        "Run the VAE in float32 (no_half_vae), or use a VAE that was repaired for half precision.");
}
