namespace StableTune.Models;

/// <summary>The architecture of an <c>AutoencoderKL</c>: diffusers' <c>vae/config.json</c> as a record.</summary>
public sealed record VaeOptions : OptionsBase
{
    /// <summary>Channels of the image that is encoded.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels of the image that is decoded.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>Channels of the latents.</summary>
    public int LatentChannels { get; init; } = 4;

    /// <summary>Channels of each level, from the largest resolution down (<c>block_out_channels</c>).</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [128, 256, 512, 512];

    /// <summary>Resnets of each level of the encoder; the decoder has one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

    /// <summary>Groups of every group norm. 32 in published models.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>What unscaled latents are multiplied by for the UNet: 0.18215, SDXL 0.13025.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>The height and width in pixels the model was made for (<c>sample_size</c>).</summary>
    public int SampleSize { get; init; } = 512;

    /// <summary>Stable Diffusion 1.x and 2.x.</summary>
    public static VaeOptions Sd15 { get; } = new();

    /// <summary>Stable Diffusion XL.</summary>
    public static VaeOptions Sdxl { get; } = new() { ScalingFactor = 0.13025, SampleSize = 1024 };

    /// <summary>A VAE of Stable Diffusion's topology that is small enough for tests: levels 16, 32, 16, 16, 8 groups.</summary>
    public static VaeOptions Tiny { get; } = new() { BlockOutChannels = [16, 32, 16, 16], NormNumGroups = 8 };

    /// <summary>Image pixels per latent pixel, in each direction: 8 for four levels.</summary>
    public int Downscale => 1 << (BlockOutChannels.Count - 1);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (InChannels < 1) yield return Problem(InChannels, "there must be at least one channel", "images have 3");
        if (OutChannels < 1) yield return Problem(OutChannels, "there must be at least one channel", "images have 3");
        if (LatentChannels < 1) yield return Problem(LatentChannels, "there must be at least one channel", "latents have 4");
        if (LayersPerBlock < 1)
            yield return Problem(LayersPerBlock, "there must be at least one resnet in a block", "published models have 2");
        if (NormNumGroups < 1) yield return Problem(NormNumGroups, "there must be at least one group", "published models have 32");
        if (!(ScalingFactor > 0)) yield return Problem(ScalingFactor, "the scaling factor must be positive", "0.18215, for SDXL 0.13025");
        if (BlockOutChannels.Count == 0)
            yield return Problem(BlockOutChannels.Count, "at least one level is needed", "give the channels of each level",
                nameof(BlockOutChannels));
        for (var level = 0; level < BlockOutChannels.Count; level++)
        {
            var channels = BlockOutChannels[level];
            if (NormNumGroups > 0 && (channels < 1 || channels % NormNumGroups != 0))
                yield return Problem(channels, $"the channels must be a positive multiple of the {NormNumGroups} norm groups",
                    "change the channels or NormNumGroups", $"{nameof(BlockOutChannels)}[{level}]");
        }
    }
}
