namespace StableTune.Adapters;

/// <summary>Options of <see cref="SvdMerger"/>.</summary>
public sealed record SvdMergeOptions : AdapterToolOptions
{
    /// <summary>The rank of linear layers and 1x1 convolutions; of smaller matrices as much as they have. Default 4, as in
    /// sd-scripts.</summary>
    public int Rank { get; init; } = 4;

    /// <summary>The rank of convolutions with larger kernels; null for <see cref="Rank"/>.</summary>
    public int? ConvolutionRank { get; init; }

    /// <summary>The quantile of all elements of a layer's factors at which they are clamped, above 0, up to 1. Default 0.99, as in
    /// sd-scripts; null clamps nothing, which is the best approximation.</summary>
    public double? ClampQuantile { get; init; } = 0.99;

    /// <summary>The type that the sums are computed in: float32, float16 or bfloat16. Default float32.</summary>
    public ScalarType Precision { get; init; } = ScalarType.Float32;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (TypeProblem(Precision, nameof(Precision)) is { } type) yield return type;
        if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 128 is customary");
        if (ConvolutionRank is < 1) yield return Problem(ConvolutionRank, "the rank must be at least 1", "leave it unset for Rank");
        if (ClampQuantile is not (null or (> 0 and <= 1)))
            yield return Problem(ClampQuantile, "the quantile must be above 0 and at most 1", "0.99 is customary, null clamps nothing");
    }

    /// <summary>The rank of a layer before its size limits it.</summary>
    internal int RankOf(LoRAShape shape) => shape.HasKernel ? ConvolutionRank ?? Rank : Rank;
}

/// <summary>
/// Merges LoRA files of any ranks into one of a rank of choice: the sum of the weight changes of each layer is cut to that rank by
/// singular values (sd-scripts' <c>svd_merge_lora</c>). Weights by block are lists of 26 numbers (text encoder, input blocks 0 to 11,
/// middle block, output blocks 0 to 11) or 17 (those of them with attention) for SD 1.x and 2.x, and 20 (text encoder, input blocks 0 to
/// 8, middle, output blocks 0 to 8) or 12 for SDXL. See <c>docs/adapter-tools.md</c>.
/// </summary>
public static class SvdMerger
{
    /// <summary>Merges LoRA files.</summary>
    /// <param name="adapters">The files, their ratios and weights by block.</param>
    /// <param name="output">The file to write: safetensors, or a torch file by its extension.</param>
    /// <param name="options">Ranks, clamping, types, metadata; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at before each layer; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the output is taken.</exception>
    /// <exception cref="InvalidFileException">A file cannot be read, is no LoRA, or does not fit the others.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedAdapter Merge(
        IReadOnlyList<WeightedAdapter> adapters, string output, SvdMergeOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adapters);
        ArgumentNullException.ThrowIfNull(output);
        options ??= new SvdMergeOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(ToolPaths.InputProblems(adapters))
            .Concat(LoRABlockWeights.Problems(adapters))
            .Concat(ToolPaths.OutputProblems(output, adapters.Select(adapter => adapter.Path), options.Overwrite)));
        using var files = LoRAFiles.Open(adapters);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var pieces = new List<LoRAPiece>();
        foreach (var (name, parts) in files.Layers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            pieces.Add(Piece(name, parts, options));
            options.Progress?.Report(
                new WorkProgress { Stage = "decomposing", Done = pieces.Count, Total = files.Layers.Count, Item = name });
        }

        var rank = PythonRepr.Of(options.Rank);
        var metadata = ToolMetadata.Minimum(files.All.Select(entry => entry.File), rank, rank, Arguments(options.ConvolutionRank))
            .Specified(output, options, ToolMetadata.MergedFrom(files.All.Select(entry => (entry.File.Path, entry.File.Metadata))));
        return new LoRAOutput(options, cancellationToken).Write(output, pieces, metadata, [.. files.Notes()]);
    }

    private static Dictionary<string, object?>? Arguments(int? rank) =>
        rank is null ? null : new() { ["conv_dim"] = rank, ["conv_alpha"] = rank };

    private static LoRAPiece Piece(string name, List<(LoRALayer Layer, WeightedAdapter Adapter)> parts, SvdMergeOptions options)
    {
        using var scope = NewDisposeScope();
        var shape = parts[0].Layer.Shape;
        // The kernel's size does not count: the reference limits by channels.
        var rank = Math.Min(options.RankOf(shape), (int)Math.Min(shape.Sizes[0], shape.Sizes[1]));
        // The sum of products is the product of the joined factors.
        var up = cat([.. parts.Select(part => part.Layer.LoadUp(options.Precision, options.Device).flatten(1)
            * (part.Adapter.Ratio * part.Layer.Scale * LoRABlockWeights.Of(part.Adapter.BlockWeights, name)))], 1);
        var down = cat([.. parts.Select(part => part.Layer.LoadDown(options.Precision, options.Device).flatten(1))], 0);
        var (newUp, newDown) = LowRank.OfProduct(up.to(ScalarType.Float32), down.to(ScalarType.Float32), rank).Factors(rank);
        var (clampedUp, clampedDown) = LowRank.Clamp(newUp, newDown, options.ClampQuantile);
        return LoRAPiece.Of(
            name, shape, rank, clampedDown.MoveToOuterDisposeScope(), clampedUp.MoveToOuterDisposeScope());
    }
}
