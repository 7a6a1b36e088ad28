using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Inspects a single weights file.</summary>
internal static class FileInspection
{
    // Where the parts of a checkpoint lie, for files whose architecture cannot be told.
    private static readonly (string Prefix, string Part)[] RawParts =
    [
        (KeyMap.UNetPrefix, ModelPart.UNet), (KeyMap.VaePrefix, ModelPart.Vae), ("cond_stage_model.", ModelPart.TextEncoder),
        ("conditioner.embedders.0.", ModelPart.TextEncoder), ("conditioner.embedders.1.", ModelPart.TextEncoder2),
            ("model_ema.", "averages"), ("", "other"),
    ];

    // Where the averages of a UNet's weights lie.
    private const string AveragedUNet = "model_ema.diffusion_model";

    /// <summary>What the file is, and the files that it consists of.</summary>
    /// <exception cref="InvalidFileException">It cannot be read.</exception>
    public static (ModelInspection Found, IReadOnlyList<string> Files) Inspect(string path, InspectOptions options)
    {
        using var file = TensorFile.Open(path);
        IReadOnlyList<string> files = file is ShardedTensorFile sharded ? sharded.Shards : [path];
        var contents = WeightContents.Of(file);
        var isCheckpoint = file.Tensors.Any(tensor => tensor.Name.StartsWith(KeyMap.UNetPrefix, StringComparison.Ordinal)
            || tensor.Name.StartsWith(AveragedUNet, StringComparison.Ordinal));
        // Adapters may have the paths of checkpoints too.
        return (isCheckpoint && ContentKinds.Of(contents) != ContentKind.Adapter ? Checkpoint(path, file, options)
            : Describe(path, contents), files);
    }

    /// <summary>Describes what is no checkpoint.</summary>
    public static ModelInspection Describe(string path, WeightContents contents)
    {
        var kind = ContentKinds.Of(contents);
        var inspection = kind switch
        {
            ContentKind.Adapter => AdapterFacts.Describe(path, contents),
            ContentKind.Embedding => EmbeddingFacts.Describe(path, contents),
            ContentKind.ControlNet => ControlNetFacts.Describe(path, contents),
            ContentKind.PromptFree => ControlNetFacts.DescribePromptFree(path, contents),
            ContentKind.Unknown => Unknown(path, contents),
            _ => new ModelInspection { Path = path, Kind = kind, Summary = ContentKinds.Words(kind),
                Parts = [InspectedPart.Of(ContentKinds.PartName(kind), null, contents.Tensors)] },
        };
        return inspection with { Metadata = contents.Metadata };
    }

    private static ModelInspection Checkpoint(string path, ITensorFile file, InspectOptions options)
    {
        var metadata = WeightContents.Of(file).Metadata;
        try
        {
            return ModelFacts.OfFile(path, options.ForFile) with { Metadata = metadata };
        }
        catch (InvalidFileException e)
        {
            // Told as far as it goes: a family that is not supported, or an architecture that nothing tells.
            var parts = RawParts.Select(row => row.Part).Distinct()
                .Select(part => InspectedPart.Of(part, null, file.Tensors.Where(tensor => RawPart(tensor.Name) == part)));
            return new ModelInspection
            {
                Path = path, Kind = ContentKind.Model, Summary = "a checkpoint that cannot be loaded as it is",
                Parts = [.. parts.Where(part => part.Precisions.Count > 0)],
                Metadata = metadata, Problems = [e.Message],
            };
        }
    }

    private static string RawPart(string name) => Array.Find(RawParts, row => name.StartsWith(row.Prefix, StringComparison.Ordinal)).Part;

    private static ModelInspection Unknown(string path, WeightContents contents)
    {
        var fault = ForeignFile.Describe(contents.File);
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Unknown,
            Summary = contents.Tensors.Count == 0 ? "a file without tensors"
                : $"{contents.Tensors.Count} tensors of a kind that is not known",
            Parts = contents.Tensors.Count == 0 ? [] : [InspectedPart.Of("tensors", null, contents.Tensors)],
            Problems = [fault.Message],
        };
    }
}
