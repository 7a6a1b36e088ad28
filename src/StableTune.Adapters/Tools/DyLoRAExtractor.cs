using System.Globalization;

namespace StableTune.Adapters;

/// <summary>Options of <see cref="DyLoRAExtractor"/>.</summary>
public sealed record DyLoRAExtractOptions : AdapterToolOptions
{
    /// <summary>The step between ranks: 4 gives files of the ranks 4, 8, 12 ... below the file's own. At least 1.</summary>
    public int Unit { get; init; } = 4;

    /// <summary>
    /// Whether alpha stays as it is, as in sd-scripts, so that smaller ranks act more strongly. Default false: alpha shrinks with the
    /// rank, and the scale stays.
    /// </summary>
    public bool KeepAlpha { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Unit < 1) yield return Problem(Unit, "the unit must be at least 1", "give the unit that the DyLoRA was trained with");
    }
}

/// <summary>Cuts a DyLoRA, whose first ranks are trained to work alone, into ordinary LoRAs of smaller ranks (sd-scripts'
/// <c>extract_lora_from_dylora</c>). See <c>docs/adapter-tools.md</c>.</summary>
public static class DyLoRAExtractor
{
    /// <summary>Writes a LoRA for each multiple of the unit that is smaller than the file's rank.</summary>
    /// <param name="input">A DyLoRA file, which looks like that of a LoRA.</param>
    /// <param name="output">The name of the files: <c>out/frog.safetensors</c> gives <c>out/frog-0004.safetensors</c> and so on.</param>
    /// <param name="options">The unit, types; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at before each tensor; files that are complete stay.</param>
    /// <returns>The files, by rank.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or an output is taken.</exception>
    /// <exception cref="InvalidFileException">The input cannot be read, or is no LoRA.</exception>
    /// <exception cref="IOException">An output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static IReadOnlyList<SavedAdapter> Extract(
        string input, string output, DyLoRAExtractOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(output);
        options ??= new DyLoRAExtractOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        using var file = LoRAFile.Open(input);
        var ranks = Enumerable.Range(1, file.LargestRank / options.Unit).Select(i => i * options.Unit)
            .Where(rank => rank < file.LargestRank).ToList();
        if (ranks.Count == 0)
            throw new InvalidOptionsException([new($"{nameof(DyLoRAExtractOptions)}.{nameof(options.Unit)}", options.Unit,
                $"it is not below the file's rank, {file.LargestRank}", "give the unit that the DyLoRA was trained with")]);
        InvalidOptionsException.ThrowIfAny(
            ranks.SelectMany(rank => ToolPaths.OutputProblems(PathOf(output, rank), [input], options.Overwrite)));
        return [.. ranks.Select(rank => Write(file, PathOf(output, rank), rank, options, cancellationToken))];
    }

    private static string PathOf(string output, int rank) => Path.ChangeExtension(output, null)
        + string.Create(CultureInfo.InvariantCulture, $"-{rank:D4}") + Path.GetExtension(output);

    private static SavedAdapter Write(
        LoRAFile file, string path, int rank, DyLoRAExtractOptions options, CancellationToken cancellationToken)
    {
        var pieces = file.Layers.Select(layer => Piece(layer, Math.Min(rank, layer.Rank), options)).ToList();
        var texts = ToolMetadata.Kept(file.Metadata);
        texts["ss_training_comment"] =
            $"split from DyLoRA, rank {file.LargestRank} to {rank}; {texts.GetValueOrDefault("ss_training_comment", "")}";
        texts["ss_network_dim"] = PythonRepr.Of(rank);
        if (!options.KeepAlpha) texts["ss_network_alpha"] = ToolMetadata.OneOrDynamic(pieces.Select(piece => (object)piece.Alpha));
        IReadOnlyList<string> notes =
            file.Metadata.TryGetValue("ss_network_module", out var module) && !module.Contains("dylora", StringComparison.OrdinalIgnoreCase)
                ? [$"The file says that it is no DyLoRA ({module}): an ordinary LoRA's first ranks are not its most important ones."] : [];
        return new LoRAOutput(options, cancellationToken).Write(path, pieces, texts, notes);
    }

    private static LoRAPiece Piece(LoRALayer layer, int rank, DyLoRAExtractOptions options) => new(
        layer.Name, layer.Shape, rank, options.KeepAlpha ? layer.Alpha : (float)(layer.Scale * rank),
        () => layer.LoadDown(ScalarType.Float32).narrow(0, 0, rank), () => layer.LoadUp(ScalarType.Float32).narrow(1, 0, rank));
}
