namespace StableTune.Adapters;

/// <summary>How <see cref="AdapterMerger"/> puts the factors of several LoRAs together.</summary>
public enum AdapterMergeMethod
{
    /// <summary>
    /// Exactly Σ ratio · ΔW: the factors are joined along the rank, up multiplied by ratio · alpha / rank; alpha is the sum of the ranks.
    /// Ranks may differ.
    /// </summary>
    Exact,

    /// <summary>
    /// What sd-scripts' <c>merge_lora</c> does: the factors are added, each multiplied by ratio · √(alpha / alpha of the first), up by the
    /// absolute value of it. So the ratio of a single file acts squared, and products of different files' factors are mixed in. Ranks
    /// must be the same.
    /// </summary>
    ReferenceSum,

    /// <summary>
    /// What it does with <c>--concat</c>: the same multiplied factors, joined along the rank; the alpha stays that of the first file, so
    /// the sum acts weaker by the growth of the rank.
    /// </summary>
    ReferenceConcat,
}

/// <summary>Options of <see cref="AdapterMerger"/>.</summary>
public sealed record AdapterMergeOptions : AdapterToolOptions
{
    /// <summary>How the factors are put together. Default: exactly.</summary>
    public AdapterMergeMethod Method { get; init; } = AdapterMergeMethod.Exact;

    /// <summary>The type that is computed in: float32, float16 or bfloat16. Default float32. (<c>--precision</c> of sd-scripts)</summary>
    public ScalarType Precision { get; init; } = ScalarType.Float32;

    /// <summary>
    /// The seed by which the ranks of each layer are put into random order, which changes nothing but what a later cut to fewer ranks
    /// would leave; null to leave them in order. (<c>--shuffle</c> of sd-scripts)
    /// </summary>
    public long? ShuffleSeed { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (TypeProblem(Precision, nameof(Precision)) is { } type) yield return type;
        if (!Enum.IsDefined(Method))
            yield return Problem(
                Method, "there is no such method", "use one of: " + string.Join(", ", Enum.GetNames<AdapterMergeMethod>()));
    }
}

/// <summary>Merges LoRA files into one LoRA file. See <c>docs/adapter-tools.md</c>.</summary>
public static class AdapterMerger
{
    /// <summary>Merges LoRA files, streaming from file to file.</summary>
    /// <param name="adapters">The files and their ratios; <see cref="WeightedAdapter.BlockWeights"/> are for
    /// <see cref="SvdMerger"/>.</param>
    /// <param name="output">The file to write: safetensors, or a torch file by its extension.</param>
    /// <param name="options">Method, types, metadata; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at before each tensor; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the output is taken.</exception>
    /// <exception cref="InvalidFileException">A file cannot be read, is no LoRA, or does not fit the others.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedAdapter Merge(
        IReadOnlyList<WeightedAdapter> adapters, string output, AdapterMergeOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adapters);
        ArgumentNullException.ThrowIfNull(output);
        options ??= new AdapterMergeOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(ToolPaths.InputProblems(adapters)).Concat(BlockProblems(adapters))
            .Concat(ToolPaths.OutputProblems(output, adapters.Select(adapter => adapter.Path), options.Overwrite)));
        using var files = LoRAFiles.Open(adapters);
        var pieces = files.Layers.Select((entry, index) => Piece(entry.Key, entry.Value, index, options)).ToList();
        var metadata = ToolMetadata
            .Minimum(files.All.Select(entry => entry.File), ToolMetadata.OneOrDynamic(pieces.Select(piece => (object)piece.Rank)),
                ToolMetadata.OneOrDynamic(pieces.Select(piece => (object)piece.Alpha)))
            .Specified(output, options, ToolMetadata.MergedFrom(files.All.Select(entry => (entry.File.Path, entry.File.Metadata))));
        return new LoRAOutput(options, cancellationToken).Write(output, pieces, metadata, [.. files.Notes()]);
    }

    private static IEnumerable<OptionProblem> BlockProblems(IReadOnlyList<WeightedAdapter> adapters) =>
        adapters.Where(adapter => adapter.BlockWeights is not null).Take(1).Select(adapter => new OptionProblem(
            "WeightedAdapter.BlockWeights", adapter.Path, "this way of merging has no weights by block",
            "use SvdMerger, or leave them out"));

    private static LoRAPiece Piece(
        string name, List<(LoRALayer Layer, WeightedAdapter Adapter)> parts, int index, AdapterMergeOptions options)
    {
        var first = parts[0].Layer;
        if (options.Method == AdapterMergeMethod.ReferenceSum && parts.Find(part => part.Layer.Rank != first.Rank) is { Layer: { } other })
            throw new InvalidFileException(other.File.Path,
                $"'{name}' has rank {other.Rank}, while in {first.File.Path} it has rank {first.Rank}.",
                "Factors of different ranks cannot be added: merge exactly (AdapterMergeMethod.Exact), or by SvdMerger.");
        var rank = options.Method == AdapterMergeMethod.ReferenceSum ? first.Rank : parts.Sum(part => part.Layer.Rank);
        var alpha = options.Method == AdapterMergeMethod.Exact ? rank : first.Alpha;
        return new LoRAPiece(name, first.Shape, rank, alpha,
            () => Shuffled(Join(parts.Select(part => part.Layer.LoadDown(options.Precision, options.Device) * Factor(part).Down), 0), 0),
            () => Shuffled(Join(parts.Select(part => part.Layer.LoadUp(options.Precision, options.Device) * Factor(part).Up), 1), 1));

        Tensor Join(IEnumerable<Tensor> factors, long dimension) => options.Method == AdapterMergeMethod.ReferenceSum
            ? factors.Aggregate((sum, factor) => sum + factor) : cat([.. factors], dimension);

        (double Down, double Up) Factor((LoRALayer Layer, WeightedAdapter Adapter) part)
        {
            if (options.Method == AdapterMergeMethod.Exact) return (1, part.Adapter.Ratio * part.Layer.Scale);
            var scale = Math.Sqrt(part.Layer.Alpha / first.Alpha) * part.Adapter.Ratio;
            return (scale, Math.Abs(scale));
        }

        Tensor Shuffled(Tensor factor, long dimension)
        {
            if (options.ShuffleSeed is not { } seed) return factor;
            // Drawn again for the other factor: the same seed gives the same order.
            using var random = new Generator((ulong)new NamedSeeds(seed).For("shuffle", index));
            return factor.index_select(dimension, randperm(rank, generator: random).to(factor.device));
        }
    }
}
