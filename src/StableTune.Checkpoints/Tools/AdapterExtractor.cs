using StableTune.Adapters;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Options of <see cref="AdapterExtractor"/>.</summary>
public sealed record AdapterExtractOptions : AdapterToolOptions
{
    /// <summary>The rank of linear layers and 1x1 convolutions, of smaller weights as much as they have; with a <see cref="Method"/> the
    /// largest that is taken. Default 4, as in sd-scripts.</summary>
    public int Rank { get; init; } = 4;

    /// <summary>The rank of convolutions with larger kernels; null leaves the layers of the UNet's resnets and samplers out.</summary>
    public int? ConvolutionRank { get; init; }

    /// <summary>Chooses each layer's rank by its singular values, up to <see cref="Rank"/>: the modes of LyCORIS' extraction are
    /// <see cref="SingularValueThreshold"/>, <see cref="PartOfLargest"/> and <see cref="SumBelow"/>. Null gives all layers the
    /// rank.</summary>
    public RankMethod? Method { get; init; }

    /// <summary>The quantile of all elements of a layer's factors at which they are clamped, above 0, up to 1. Default 0.99, as in
    /// sd-scripts; null clamps nothing, which is the best approximation.</summary>
    public double? ClampQuantile { get; init; } = 0.99;

    /// <summary>Text encoders none of whose adapted weights differ by more than this are left out. Default 0.01, as in
    /// sd-scripts.</summary>
    public double MinimumDifference { get; init; } = 0.01;

    /// <summary>The parts that are compared. Default: all.</summary>
    public AdapterParts Parts { get; init; } = AdapterParts.All;

    /// <summary>How both models are read: version, variant, prediction; types and device count for nothing.</summary>
    public ModelLoadOptions Reading { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate().Concat(Method?.Validate() ?? []).Concat(Reading.Validate())) yield return problem;
        if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 128 is customary");
        if (ConvolutionRank is < 1) yield return Problem(ConvolutionRank, "the rank must be at least 1", "leave it unset for none");
        if (ClampQuantile is not (null or (> 0 and <= 1)))
            yield return Problem(ClampQuantile, "the quantile must be above 0 and at most 1", "0.99 is customary, null clamps nothing");
        if (!(MinimumDifference >= 0))
            yield return Problem(MinimumDifference, "the difference must be at least 0", "0.01 is customary");
        if ((Parts & AdapterParts.All) == 0) yield return Problem(Parts, "there is nothing to compare", "use AdapterParts.All");
    }
}

/// <summary>
/// Makes a LoRA of what two models differ in, as sd-scripts' <c>extract_lora_from_models</c> does: the difference of each adapted weight is
/// cut to a low rank by singular values. Weights are read layer by layer; no model is held in memory. See <c>docs/adapter-tools.md</c>.
/// </summary>
public static class AdapterExtractor
{
    /// <summary>Extracts a LoRA.</summary>
    /// <param name="original">The model that the LoRA shall be used with: a file, a folder, or a name on the hub.</param>
    /// <param name="tuned">The model that it shall become; of the same architecture.</param>
    /// <param name="output">The file to write: safetensors, or a torch file by its extension.</param>
    /// <param name="options">Ranks, parts, types, metadata; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at before each layer; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the output is taken.</exception>
    /// <exception cref="InvalidFileException">A model cannot be read, or the two are of different kinds, or do not differ.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedAdapter Extract(
        string original, string tuned, string output, AdapterExtractOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(tuned);
        ArgumentNullException.ThrowIfNull(output);
        options ??= new AdapterExtractOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(ToolModelPaths.InputProblems([original, tuned]))
            .Concat(ToolPaths.OutputProblems(output, [original, tuned], options.Overwrite)));
        NativeBackend.Load();
        using var extraction = new ModelDifference(original, tuned, options, cancellationToken);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var layers = extraction.Layers();
        var (notes, pieces) = (new List<string>(), new List<LoRAPiece>());
        if (layers.Any(IsText) && !layers.Where(IsText).Any(layer => extraction.Largest(layer) > options.MinimumDifference))
        {
            layers = [.. layers.Where(layer => !IsText(layer))];
            notes.Add($"The text encoders differ by no more than {PythonRepr.Of(options.MinimumDifference)} and were left out.");
        }

        var changed = false;
        foreach (var layer in layers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            pieces.Add(Piece(extraction, layer, options, ref changed));
            options.Progress?.Report(
                new WorkProgress { Stage = "extracting", Done = pieces.Count, Total = layers.Count, Item = layer.Name });
        }

        if (!changed)
            throw new InvalidFileException(tuned, $"none of its adapted weights differs from those of {original}.",
                "Give the tuned model and the one that its training began with.");
        return new LoRAOutput(options, cancellationToken).Write(output, pieces, Metadata(extraction, output, options), notes);
    }

    private static bool IsText(AdaptedLayer layer) => layer.Part != AdapterParts.UNet;

    private static LoRAPiece Piece(ModelDifference models, AdaptedLayer layer, AdapterExtractOptions options, ref bool changed)
    {
        using var scope = NewDisposeScope();
        var difference = models.Of(layer);
        changed |= difference.count_nonzero().item<long>() > 0;
        var shape = new LoRAShape(difference.shape);
        // Inputs are counted without the kernel, as in the reference.
        var most = Math.Min(shape.HasKernel ? options.ConvolutionRank!.Value : options.Rank, (int)Math.Min(shape.Sizes[0], shape.Sizes[1]));
        var decomposed = LowRank.Of(difference.flatten(1));
        var rank = options.Method is { } method ? Math.Clamp(method.Count(decomposed.Values), 1, most) : most;
        var (up, down) = decomposed.Factors(rank);
        var (clampedUp, clampedDown) = LowRank.Clamp(up, down, options.ClampQuantile);
        return LoRAPiece.Of(layer.Name, shape, rank, clampedDown.MoveToOuterDisposeScope(), clampedUp.MoveToOuterDisposeScope());
    }

    private static Dictionary<string, string> Metadata(ModelDifference models, string output, AdapterExtractOptions options)
    {
        var dynamic = options.Method is null ? null : "Dynamic";
        var arguments = new Dictionary<string, object?>();
        if (options.ConvolutionRank is { } rank)
            (arguments["conv_dim"], arguments["conv_alpha"]) = (PythonRepr.Of(rank), PythonRepr.Of((double)rank));
        return ToolMetadata
            .Minimum(models.IsSd2 ? "True" : "False", models.BaseModel, dynamic ?? PythonRepr.Of(options.Rank),
                dynamic ?? PythonRepr.Of((double)options.Rank), arguments)
            .Specified(output, options);
    }
}
