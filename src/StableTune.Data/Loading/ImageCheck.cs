namespace StableTune.Data;

/// <summary>Looks for images that cannot be read, before training finds them.</summary>
internal static class ImageCheck
{
    /// <summary>Reads all images, several at once.</summary>
    internal static IReadOnlyList<OptionProblem> Run(IReadOnlyList<TrainingSample> samples, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        var workers = new BatchLoaderOptions().Workers;
        var problems = new List<OptionProblem>();
        using var results = new OrderedPrefetch<Result>(samples.Count, workers, 2 * workers, (index, _) => new(Problem(samples[index])), _ => { });
        for (var done = 1; results.Next(cancellationToken) is { } result; done++)
        {
            if (result.Problem is { } problem) problems.Add(problem);
            progress?.Report(new() { Stage = "checking images", Step = done, TotalSteps = samples.Count });
        }

        return problems;
    }

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
