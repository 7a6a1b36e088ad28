using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What a VAE's levels and resnets are called.</summary>
/// <param name="Down">The encoder's levels.</param>
/// <param name="Up">The decoder's levels.</param>
/// <param name="Resnets">The resnets of a level.</param>
internal sealed record VaeNames(string Down, string Up, string Resnets)
{
    /// <summary>Names of single files.</summary>
    public static VaeNames Ldm { get; } = new("encoder.down", "decoder.up", "block");

    /// <summary>Names of diffusers.</summary>
    public static VaeNames Diffusers { get; } = new("encoder.down_blocks", "decoder.up_blocks", "resnets");
}

/// <summary>Finds out a VAE's architecture from the shapes in a checkpoint.</summary>
internal static class VaeShapes
{
    /// <summary>The VAE of published models of a family.</summary>
    public static VaeOptions Usual(ModelVersion version) => version == ModelVersion.Sdxl ? VaeOptions.Sdxl : VaeOptions.Sd15;

    /// <summary>Reads the architecture.</summary>
    /// <param name="keys">What lies below the VAE's prefix.</param>
    /// <param name="names">What its levels are called.</param>
    /// <param name="version">The family, which tells the scaling factor.</param>
    /// <param name="yaml">What the yaml file says; null without one.</param>
    /// <exception cref="InvalidFileException">Tensors are missing, or make no VAE that is supported.</exception>
    public static VaeOptions Read(CheckpointKeys keys, VaeNames names, ModelVersion version, SidecarYaml? yaml)
    {
        var levels = keys.Count(names.Down);
        if (levels == 0) throw keys.Unsupported("the VAE's encoder is missing.");
        if (keys.Count(names.Up) != levels)
            throw keys.Unsupported($"the VAE's encoder has {levels} levels, its decoder {keys.Count(names.Up)}.");
        int[] layers = [.. Enumerable.Range(0, levels).Select(level => keys.Count($"{names.Down}.{level}.{names.Resnets}"))];
        if (layers[0] == 0 || layers.Any(count => count != layers[0]))
            throw keys.Unsupported($"the VAE's levels have {string.Join(", ", layers)} resnets; they must have the same number.");
        for (var level = 0; level < levels; level++)
            if (keys.HasModule($"{names.Down}.{level}.attn"))
                throw keys.Unsupported($"the VAE has attention in its level {level}; only its middle may have.");

        var usual = Usual(version);
        return new VaeOptions
        {
            InChannels = keys.Size("encoder.conv_in.weight", 1),
            OutChannels = keys.Size("decoder.conv_out.weight", 0),
            LatentChannels = keys.Size("post_quant_conv.weight", 1),
            BlockOutChannels = [.. Enumerable.Range(0, levels)
                .Select(level => keys.Size($"{names.Down}.{level}.{names.Resnets}.0.conv1.weight", 0))],
            LayersPerBlock = layers[0],
            NormNumGroups = yaml?.VaeNormGroups ?? usual.NormNumGroups,
            ScalingFactor = yaml?.ScaleFactor ?? usual.ScalingFactor,
            SampleSize = usual.SampleSize,
        };
    }
}
