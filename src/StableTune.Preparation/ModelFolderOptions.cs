using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>What tools have in common that make one file of each image of a folder with a model.</summary>
public abstract record ModelFolderOptions : ImageFolderOptions
{
    /// <summary>Images that the model is shown at once. Twice as many are in memory. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Threads that read images ahead of the model. Default one less than the processors.</summary>
    public int Workers { get; init; } = new BatchLoaderOptions().Workers;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (BatchSize < 1) yield return Problem(BatchSize, "at least 1 image is shown at once", "1 always works");
        if (Workers < 0)
            yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the calling thread");
    }
}
