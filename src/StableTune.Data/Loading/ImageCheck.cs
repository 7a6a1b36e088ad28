namespace StableTune.Data;

/// <summary>Looks for images that cannot be read, before training finds them.</summary>
internal static class ImageCheck
{
    /// <summary>Reads all images, several at once.</summary>
    internal static IReadOnlyList<OptionProblem> Run(IReadOnlyList<TrainingSample> samples, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken) =>
        [.. OrderedWork.Run(samples.Count, new BatchLoaderOptions().Workers, "checking images", index => new Result(Problem(samples[index])), progress, cancellationToken)
            .Select(result => result.Problem).OfType<OptionProblem>()];

    /// <summary>Reads an image to see whether it can be read; null when it can.</summary>
    internal static OptionProblem? Problem(TrainingSample sample)
    {
        if (sample.IsCachedOnly) return null;
        try
        {
            ImagePreparation.Load(sample);
            if (sample.ConditioningPath is not null) ImagePreparation.LoadConditioning(sample, ImageDraw.Plain(sample));
            return null;
        }
        catch (InvalidFileException e)
        {
            return FileProblems.Describe("DatasetItem.Path", e);
        }
    }

    private sealed record Result(OptionProblem? Problem);
}
