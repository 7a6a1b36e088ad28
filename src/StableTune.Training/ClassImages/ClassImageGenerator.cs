using StableTune.Diffusion;
using StableTune.Models;

namespace StableTune;

/// <summary>Draws class images that are missing.</summary>
public static class ClassImageGenerator
{
    /// <summary>
    /// Draws as many pictures as are missing in the folder, each with its own seed, so that the same pictures come whatever the batch size
    /// is and however often the work was interrupted. Each file is complete or absent.
    /// </summary>
    /// <param name="model">The model, with all its parts; stays the caller's.</param>
    /// <param name="options">Folder, prompt, number, and how they are drawn.</param>
    /// <param name="progress">Counts pictures.</param>
    /// <param name="cancellationToken">Looked at between steps of the sampler; pictures that are finished stay.</param>
    /// <returns>The files that were drawn; none when enough are there.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static IReadOnlyList<string> Generate(StableDiffusionModel model, ClassImageOptions options,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        var source = new ClassImageSource(options);
        var missing = source.Missing();
        if (missing.Count == 0) return [];
        Directory.CreateDirectory(options.Folder!);
        var (pipeline, files) = (new TextToImagePipeline(model), new List<string>());
        foreach (var batch in Batches(options, missing))
        {
            var drawn = pipeline.GenerateMany(options.Drawing(batch[0], batch.Count), cancellationToken: cancellationToken);
            foreach (var (image, index) in drawn.Zip(batch))
            {
                image.SavePng(source.PathOf(index));
                files.Add(source.PathOf(index));
            }

            progress?.Report(new WorkProgress { Stage = "drawing class images", Done = files.Count, Total = missing.Count });
        }

        return files;
    }

    /// <summary>Places that follow each other and have one size, at most so many as are drawn at the same time.</summary>
    private static IEnumerable<IReadOnlyList<int>> Batches(ClassImageOptions options, IReadOnlyList<int> missing)
    {
        var batch = new List<int>();
        foreach (var index in missing)
        {
            if (batch.Count > 0
                && (batch.Count == options.BatchSize || batch[^1] + 1 != index || options.SizeOf(index) != options.SizeOf(batch[0])))
            {
                yield return [.. batch];
                batch.Clear();
            }

            batch.Add(index);
        }

        if (batch.Count > 0) yield return batch;
    }
}
