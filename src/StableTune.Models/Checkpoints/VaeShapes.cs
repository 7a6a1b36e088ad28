namespace StableTune.Models;

/// <summary>Finds out a VAE's architecture from the shapes in a checkpoint.</summary>
internal static class VaeShapes
{
    /// <summary>Reads the architecture.</summary>
    /// <param name="keys">What lies below the VAE's prefix.</param>
    /// <param name="version">The family, which tells the scaling factor.</param>
    /// <param name="yaml">What the yaml file says; null without one.</param>
    /// <exception cref="InvalidFileException">Tensors are missing, or make no VAE that is supported.</exception>
    public static VaeOptions Read(CheckpointKeys keys, ModelVersion version, SidecarYaml? yaml)
    {
        var levels = keys.Count("encoder.down");
        if (levels == 0) throw keys.Unsupported("the VAE's encoder is missing.");
        if (keys.Count("decoder.up") != levels) throw keys.Unsupported($"the VAE's encoder has {levels} levels, its decoder {keys.Count("decoder.up")}.");
        int[] layers = [.. Enumerable.Range(0, levels).Select(level => keys.Count($"encoder.down.{level}.block"))];
        if (layers[0] == 0 || layers.Any(count => count != layers[0]))
            throw keys.Unsupported($"the VAE's levels have {string.Join(", ", layers)} resnets; they must have the same number.");
        for (var level = 0; level < levels; level++)
            if (keys.HasModule($"encoder.down.{level}.attn")) throw keys.Unsupported($"the VAE has attention in its level {level}; only its middle may have.");

        var usual = version == ModelVersion.Sdxl ? VaeOptions.Sdxl : VaeOptions.Sd15;
        return new VaeOptions
        {
            InChannels = keys.Size("encoder.conv_in.weight", 1),
            OutChannels = keys.Size("decoder.conv_out.weight", 0),
            LatentChannels = keys.Size("post_quant_conv.weight", 1),
            BlockOutChannels = [.. Enumerable.Range(0, levels).Select(level => keys.Size($"encoder.down.{level}.block.0.conv1.weight", 0))],
            LayersPerBlock = layers[0],
            NormNumGroups = yaml?.VaeNormGroups ?? usual.NormNumGroups,
            ScalingFactor = yaml?.ScaleFactor ?? usual.ScalingFactor,
            SampleSize = usual.SampleSize,
        };
    }
}
