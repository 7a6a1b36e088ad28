using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model and how much of it is taken.</summary>
/// <param name="Path">A file, a folder, or a name on the hub.</param>
/// <param name="Weight">Its weight beside those of the others; their sum is made 1.</param>
public sealed record WeightedModel(string Path, double Weight = 1);

/// <summary>Options of <see cref="ModelMerger"/>.</summary>
public sealed record ModelMergeOptions : OptionsBase
{
    /// <summary>The parts that are merged; the others are the first model's. Default: all.</summary>
    public ModelParts Parts { get; init; } = ModelParts.All;

    /// <summary>
    /// Weights by block of the UNet, for two models or an added difference: what is taken of the second model, or of the difference, in
    /// each block in place of the general weight. 25 numbers for SD 1.x and 2.x (input blocks 0 to 11, middle, output blocks 0 to 11), 23
    /// for SDXL (embeddings, input blocks 0 to 8, three of the middle, output blocks 0 to 8, output). Null for none.
    /// </summary>
    public IReadOnlyList<double>? BlockWeights { get; init; }

    /// <summary>How the models are read: version, prediction, variant; types and device count for nothing.</summary>
    public ModelLoadOptions Reading { get; init; } = new();

    /// <summary>How the result is written; without a precision in the types of the first model. Default: nothing is
    /// overwritten.</summary>
    public ModelSaveOptions Saving { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in Reading.Validate().Concat(Saving.Validate())) yield return problem;
        if ((Parts & ModelParts.All) == 0) yield return Problem(Parts, "there is nothing to merge", "use ModelParts.All");
        if (BlockWeights?.Any(weight => !double.IsFinite(weight)) == true)
            yield return Problem(string.Join(", ", BlockWeights), "the weights must be finite numbers", "use numbers from 0 to 1",
                nameof(BlockWeights));
        if (BlockWeights is not null && !Parts.HasFlag(ModelParts.UNet))
            yield return Problem(BlockWeights.Count, "weights by block are for the UNet, which is not merged", "add ModelParts.UNet",
                nameof(BlockWeights));
    }
}

/// <summary>
/// Merges whole models, tensor by tensor and in float32: no model is held in memory. Tensors that one of the others lacks are taken from
/// the first. See <c>docs/adapter-tools.md</c>.
/// </summary>
public static class ModelMerger
{
    /// <summary>Writes Σ wᵢ·θᵢ / Σ wᵢ.</summary>
    /// <param name="models">At least two models of one kind; what is not merged comes from the first.</param>
    /// <param name="output">The file or folder to write.</param>
    /// <param name="options">Parts, weights by block, how to read and to write; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at every megabyte or so; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the output is taken.</exception>
    /// <exception cref="InvalidFileException">A model cannot be read, or they are of different kinds.</exception>
    /// <exception cref="IOException">Something cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedModel WeightedSum(
        IReadOnlyList<WeightedModel> models, string output, ModelMergeOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(models);
        options ??= new ModelMergeOptions();
        var sum = models.Sum(model => model.Weight);
        var problems = new List<OptionProblem>();
        if (models.Count < 2) problems.Add(new("models", models.Count, "there must be at least two models", "name the models to merge"));
        if (models.FirstOrDefault(model => !double.IsFinite(model.Weight)) is { } strange)
            problems.Add(new("WeightedModel.Weight", strange.Weight, "the weight must be a finite number", "use 1 for equal parts"));
        else if (sum == 0) problems.Add(new("WeightedModel.Weight", sum, "the weights must not add up to 0", "use 1 for equal parts"));
        if (options.BlockWeights is not null && models.Count != 2)
            problems.Add(new($"{nameof(ModelMergeOptions)}.{nameof(options.BlockWeights)}", $"{models.Count} models",
                "weights by block are for two models", "merge two at a time, or leave them out"));
        var plan = new ModelMergePlan(
            [.. models.Select(model => model.Path)], [.. models.Select(model => model.Weight / sum)], share => [1 - share, share]);
        return plan.Run(output, options, problems, cancellationToken);
    }

    /// <summary>Writes A + weight · (B - C): what B learnt since C is added to A.</summary>
    /// <param name="model">A, to which the difference is added.</param>
    /// <param name="tuned">B.</param>
    /// <param name="original">C, which B was made of.</param>
    /// <param name="weight">How much of the difference; 1 for all.</param>
    /// <param name="output">The file or folder to write.</param>
    /// <param name="options">Parts, weights by block, how to read and to write; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at every megabyte or so; nothing is left behind.</param>
    /// <inheritdoc cref="WeightedSum" path="/exception"/>
    public static SavedModel AddDifference(
        string model, string tuned, string original, double weight, string output, ModelMergeOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var problems = new List<OptionProblem>();
        if (!double.IsFinite(weight))
            problems.Add(new(nameof(weight), weight, "the weight must be a finite number", "use 1 for the whole difference"));
        var plan = new ModelMergePlan([model, tuned, original], [1, weight, -weight], share => [1, share, -share]);
        return plan.Run(output, options ?? new ModelMergeOptions(), problems, cancellationToken);
    }
}
