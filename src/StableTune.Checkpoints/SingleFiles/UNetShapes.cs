using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Finds out a UNet's architecture from the shapes in a checkpoint. What shapes do not tell, heads and norm groups, comes from
/// outside.</summary>
internal static class UNetShapes
{
    /// <summary>Reads the architecture.</summary>
    /// <param name="keys">What lies below the UNet's prefix.</param>
    /// <param name="version">The family, which tells the heads.</param>
    /// <param name="yaml">What the yaml file says; null without one.</param>
    /// <param name="pooledWidth">Width of the pooled text in SDXL's added condition; null when unknown.</param>
    /// <exception cref="InvalidFileException">Tensors are missing, or make no UNet that is supported.</exception>
    public static UNetOptions Read(CheckpointKeys keys, ModelVersion version, SidecarYaml? yaml, int? pooledWidth)
    {
        var levels = Levels(keys);
        var layers = levels[0].Layers;
        keys.RequireExactly("input_blocks", levels.Sum(level => level.Layers + 1));
        if (levels.Any(level => level.Layers != layers))
            throw keys.Unsupported(
                $"the UNet's levels have {string.Join(", ", levels.Select(level => level.Layers))} resnets; they must have the same "
                    + $"number.");
        keys.RequireExactly("output_blocks", levels.Count * (layers + 1));
        if (!keys.HasModule("middle_block.1.transformer_blocks")) throw keys.Unsupported("the UNet has no transformer in its middle.");
        var middle = keys.Count("middle_block.1.transformer_blocks");
        if (levels[^1].Depth is > 0 and var last && last != middle)
            throw keys.Unsupported(
                $"the UNet's middle has {middle} transformer blocks, its last level {last}; they must have the same number.");

        var added = keys.Has("label_emb.0.0.weight") ? keys.Size("label_emb.0.0.weight", 1) : 0;
        var depths = levels.Select(level => Math.Max(level.Depth, 1)).ToArray();
        depths[^1] = middle;
        int[] channels = [.. levels.Select(level => level.Channels)];
        return new UNetOptions
        {
            InChannels = keys.Size("input_blocks.0.0.weight", 1),
            OutChannels = keys.Size("out.2.weight", 0),
            BlockOutChannels = channels,
            LayersPerBlock = layers,
            AttentionHeads = [.. channels.Select(width => Heads(keys, width, version, yaml))],
            TransformerLayersPerBlock = depths,
            CrossAttentionDim = keys.Size("middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1),
            DownBlockTypes = [.. levels.Select(level => level.Depth > 0 ? UNetOptions.CrossAttentionDown : UNetOptions.PlainDown)],
            UpBlockTypes = [.. levels.Select((level, i) => UpBlock(keys, levels.Count - 1 - i, i * (layers + 1), layers, levels))
                .ToArray()],
            UseLinearProjection = keys.Shape("middle_block.1.proj_in.weight").Count == 2,
            NormNumGroups = yaml?.UNetNormGroups ?? UNetOptions.Sd15.NormNumGroups,
            AdditionEmbedType = added > 0 ? UNetOptions.TextTime : null,
            AdditionTimeEmbedDim = added > 0 ? SizeWidth(keys, added, pooledWidth) : UNetOptions.Sdxl.AdditionTimeEmbedDim,
            ProjectionClassEmbeddingsInputDim = added,
        };
    }

    // Pooled text and the sinusoids of six sizes.
    private static int SizeWidth(CheckpointKeys keys, int added, int? pooledWidth)
    {
        if (pooledWidth is not { } pooled) return UNetOptions.Sdxl.AdditionTimeEmbedDim;
        return added > pooled && (added - pooled) % 6 == 0 ? (added - pooled) / 6
            : throw keys.Unsupported(
                $"the UNet's added condition is {added} wide, which is not the {pooled} of the pooled text and six sizes.");
    }

    private readonly record struct Level(int Channels, int Layers, int Depth);

    // input_blocks.0 is conv_in; a downsampler ends a level.
    private static List<Level> Levels(CheckpointKeys keys)
    {
        var levels = new List<Level>();
        var (channels, layers, depth) = (0, 0, 0);
        for (var place = 1; keys.HasModule($"input_blocks.{place}.0"); place++)
        {
            var block = $"input_blocks.{place}";
            if (keys.HasModule($"{block}.0.op"))
            {
                levels.Add(new Level(channels, layers, depth));
                layers = 0;
                continue;
            }

            var found = keys.Count($"{block}.1.transformer_blocks");
            if (found == 0 && keys.HasModule($"{block}.1")) throw keys.Unsupported($"the UNet's '{block}.1' is no transformer.");
            if (layers > 0 && found != depth)
                throw keys.Unsupported(
                $"the UNet's '{block}' has {found} transformer blocks, the layer before it in the same level {depth}; they must have the "
                    + $"same number.");
            (channels, depth, layers) = (keys.Size($"{block}.0.in_layers.2.weight", 0), found, layers + 1);
        }

        levels.Add(new Level(channels, layers, depth));
        return levels.TrueForAll(level => level.Layers > 0) ? levels : throw keys.Unsupported("the UNet has a level without resnets.");
    }

    private static string UpBlock(CheckpointKeys keys, int level, int place, int layers, List<Level> levels)
    {
        var depth = keys.Count($"output_blocks.{place}.1.transformer_blocks");
        for (var layer = 0; layer <= layers; layer++)
        {
            if (keys.Count($"output_blocks.{place + layer}.1.transformer_blocks") is var found && found != levels[level].Depth)
                throw keys.Unsupported(
                    $"the UNet's 'output_blocks.{place + layer}' has {found} transformer blocks, the same level downwards "
                        + $"{levels[level].Depth}; they must have the same number.");
        }

        return depth > 0 ? UNetOptions.CrossAttentionUp : UNetOptions.PlainUp;
    }

    // SD 1.x has 8 heads everywhere; later models have heads of 64 channels.
    private static int Heads(CheckpointKeys keys, int channels, ModelVersion version, SidecarYaml? yaml)
    {
        if (yaml?.Heads is { } heads) return heads;
        if (yaml?.HeadChannels is null && version == ModelVersion.Sd1) return 8;
        var width = yaml?.HeadChannels ?? 64;
        return channels % width == 0 ? channels / width : throw new InvalidFileException(
            keys.Path, $"the UNet has a level of {channels} channels, which make no heads of {width}.",
            "Tell its heads by the option ConfigurationPath, or by 'num_head_channels' in a .yaml beside the file.");
    }
}
