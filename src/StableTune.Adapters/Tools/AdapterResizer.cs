using StableTune.Formats;

namespace StableTune.Adapters;

/// <summary>Options of <see cref="AdapterResizer"/>.</summary>
public sealed record AdapterResizeOptions : AdapterToolOptions
{
    /// <summary>The rank of linear layers; with a <see cref="Method"/> the largest that is taken. Default 4, as in sd-scripts.</summary>
    public int Rank { get; init; } = 4;

    /// <summary>The same of convolutions, 1x1 included; null for <see cref="Rank"/>.</summary>
    public int? ConvolutionRank { get; init; }

    /// <summary>Chooses each layer's rank by its singular values, up to <see cref="Rank"/>; null gives all layers that rank.</summary>
    public RankMethod? Method { get; init; }

    /// <summary>
    /// Whether one rank more is kept than the <see cref="Method"/> counts. Default true, as sd-scripts' <c>resize_lora</c> takes the
    /// count for an index; false for the count itself.
    /// </summary>
    public bool KeepOneMore { get; init; } = true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate().Concat(Method?.Validate() ?? [])) yield return problem;
        if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 32 is customary");
        if (ConvolutionRank is < 1) yield return Problem(ConvolutionRank, "the rank must be at least 1", "leave it unset for Rank");
    }

    /// <summary>The rank of a layer, or its limit.</summary>
    internal int RankOf(LoRAShape shape) => shape.IsConvolution ? ConvolutionRank ?? Rank : Rank;
}

/// <summary>
/// Gives LoRA files other ranks: each layer's weight change is decomposed into singular values, of which the first are kept; alpha changes
/// with the rank, so that the scale stays. The same choices as sd-scripts' <c>resize_lora</c>. See <c>docs/adapter-tools.md</c>.
/// </summary>
public static class AdapterResizer
{
    /// <summary>First singular values up to this one are of layers that do nothing, whose rank becomes 1.</summary>
    private const float NoChange = 1e-6f;

    /// <summary>Resizes a LoRA.</summary>
    /// <param name="input">A LoRA file.</param>
    /// <param name="output">The file to write: safetensors, or a torch file by its extension.</param>
    /// <param name="options">Ranks, types, metadata; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at before each layer; nothing is left behind.</param>
    /// <returns>What was written, with old and new rank and what is left of each layer.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, the output is taken, or layers are smaller than the
    /// rank.</exception>
    /// <exception cref="InvalidFileException">The input cannot be read, or is no LoRA.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static ResizedAdapter Resize(
        string input, string output, AdapterResizeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentNullException.ThrowIfNull(output);
        options ??= new AdapterResizeOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(ToolPaths.OutputProblems(output, [input], options.Overwrite)));
        using var file = LoRAFile.Open(input);
        if (options.Method is null) InvalidOptionsException.ThrowIfAny(SizeProblems(file, options));
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var (pieces, layers) = (new List<LoRAPiece>(), new List<ResizedLayer>());
        foreach (var layer in file.Layers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (piece, report) = Piece(layer, options);
            pieces.Add(piece);
            layers.Add(report);
            options.Progress?.Report(
                new WorkProgress { Stage = "resizing", Done = pieces.Count, Total = file.Layers.Count, Item = layer.Name });
        }

        var saved = new LoRAOutput(options, cancellationToken).Write(output, pieces, Metadata(file, output, layers, options), []);
        return new ResizedAdapter(saved, layers);
    }

    private static IEnumerable<OptionProblem> SizeProblems(LoRAFile file, AdapterResizeOptions options)
    {
        var small = file.Layers.Where(layer => options.RankOf(layer.Shape) > Math.Min(layer.Shape.Out, layer.Shape.In)).ToList();
        if (small.Count == 0) yield break;
        var most = small.Min(layer => Math.Min(layer.Shape.Out, layer.Shape.In));
        yield return new($"{nameof(AdapterResizeOptions)}.{nameof(options.Rank)}", options.RankOf(small[0].Shape),
            $"the rank is larger than the weights of {small.Count} layer(s), for instance {small[0].Name} of {small[0].Shape}",
            $"use at most {most}, or a Method, which takes no more than there is");
    }

    private static (LoRAPiece Piece, ResizedLayer Report) Piece(LoRALayer layer, AdapterResizeOptions options)
    {
        using var scope = NewDisposeScope();
        var limit = options.RankOf(layer.Shape);
        var (up, down) = (layer.LoadUp(ScalarType.Float32, options.Device), layer.LoadDown(ScalarType.Float32, options.Device));
        var decomposed = LowRank.OfProduct(up.flatten(1), down.flatten(1), options.Method is null ? limit : 1);
        var values = decomposed.Values;
        var rank = values[0].item<float>() <= NoChange ? 1
            : Math.Min(limit, options.Method is { } method ? Counted(method.Count(values), options, values) : limit);
        if (rank > decomposed.Down.shape[0]) decomposed = LowRank.Of(up.flatten(1).mm(down.flatten(1)));
        var (newUp, newDown) = decomposed.Factors(rank);
        var alpha = (float)(layer.Scale * rank);
        var piece = LoRAPiece.Of(layer.Name, layer.Shape, alpha, newDown.MoveToOuterDisposeScope(), newUp.MoveToOuterDisposeScope());
        return (piece, Report(layer, rank, alpha, values));
    }

    private static int Counted(int count, AdapterResizeOptions options, Tensor values) =>
        (int)Math.Clamp(count + (options.KeepOneMore ? 1L : 0L), 1, values.numel());

    private static ResizedLayer Report(LoRALayer layer, int rank, float alpha, Tensor values)
    {
        var all = values.cpu().data<float>().ToArray().Select(value => (double)value).ToArray();
        var kept = all.AsSpan(0, rank).ToArray();
        return new ResizedLayer(layer.Name, layer.Rank, rank, alpha, Part(kept.Sum(), all.Sum()),
            Math.Sqrt(Part(kept.Sum(value => value * value), all.Sum(value => value * value))), all[0] / kept[^1]);

        // A layer that changes nothing keeps all of it.
        static double Part(double part, double whole) => whole > 0 ? part / whole : 1;
    }

    private static Dictionary<string, string> Metadata(
        LoRAFile file, string output, List<ResizedLayer> layers, AdapterResizeOptions options)
    {
        var texts = ToolMetadata.Kept(file.Metadata);
        var comment = texts.GetValueOrDefault("ss_training_comment", "");
        texts["ss_training_comment"] = options.Method is { } method
            ? $"Dynamic resize with {method.Describe()} from {file.LargestRank}; {comment}"
            : $"dimension is resized from {file.LargestRank} to {options.Rank}; {comment}";
        texts["ss_network_dim"] = options.Method is null ? PythonRepr.Of(options.Rank) : "Dynamic";
        texts["ss_network_alpha"] = options.Method is null ? PythonRepr.Of(layers[^1].Alpha) : "Dynamic";
        if (options.Title is not null && options.WriteSpecification) texts[ModelSpecification.KeyPrefix + "title"] = options.Title;
        return options.WriteSpecification ? texts
            : texts.Where(entry => !entry.Key.StartsWith(ModelSpecification.KeyPrefix, StringComparison.Ordinal))
                .ToDictionary(StringComparer.Ordinal);
    }
}
