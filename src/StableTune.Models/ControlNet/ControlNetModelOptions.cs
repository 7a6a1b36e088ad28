namespace StableTune.Models;

/// <summary>The architecture of a <see cref="ControlNetModel"/>: that of the UNet whose way down it is a copy of, and of the layers that
/// look at the control picture.</summary>
/// <remarks>diffusers' <c>config.json</c> of a <c>ControlNetModel</c> as a record.</remarks>
public sealed record ControlNetModelOptions : OptionsBase
{
    /// <summary>The UNet that it steers. Its way up and its output do not matter.</summary>
    public UNetOptions UNet { get; init; } = UNetOptions.Sd15;

    /// <summary>Channels of the control picture. 3, for RGB, in all published models.</summary>
    public int ConditioningChannels { get; init; } = 3;

    /// <summary>
    /// Channels of the layers that make the control picture as small as the latents; between two of them its sides are halved, so that four
    /// of them serve a VAE that reduces by 8. Default 16, 32, 96, 256.
    /// </summary>
    public IReadOnlyList<int> ConditioningEmbeddingChannels { get; init; } = [16, 32, 96, 256];

    /// <summary>Whether each residual is averaged over the whole picture, so that it says what there is but not where (the "shuffle"
    /// ControlNet). Default false.</summary>
    public bool GlobalPoolConditions { get; init; }

    /// <summary>Pixels of the control picture per place of the latents, in each direction.</summary>
    public int Downscale => 1 << (ConditioningEmbeddingChannels.Count - 1);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in UNet.Validate()) yield return problem;
        if (ConditioningChannels < 1)
            yield return Problem(ConditioningChannels, "the control picture has at least one channel", "3 is customary");
        if (ConditioningEmbeddingChannels.Count is < 1 or > 16 || ConditioningEmbeddingChannels.Any(channels => channels < 1))
            yield return Problem(string.Join(", ", ConditioningEmbeddingChannels), "1 to 16 positive numbers are needed",
                "16, 32, 96, 256 is customary", nameof(ConditioningEmbeddingChannels));
    }

    /// <summary>The options of a ControlNet for a UNet.</summary>
    /// <param name="unet">The UNet's architecture.</param>
    public static ControlNetModelOptions For(UNetOptions unet) => new() { UNet = unet };

    /// <summary>Down blocks, mid block and their widths: what a ControlNet and its UNet must have in common, with how messages call
    /// it.</summary>
    /// <param name="other">The UNet that is to be steered.</param>
    /// <returns>A sentence without full stop for the first difference; null where it fits.</returns>
    public string? Misfit(UNetOptions other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (UNet.CrossAttentionDim != other.CrossAttentionDim)
            return $"it is for a text context {UNet.CrossAttentionDim} wide, the model's is {other.CrossAttentionDim} wide";
        if (!UNet.BlockOutChannels.SequenceEqual(other.BlockOutChannels) || UNet.LayersPerBlock != other.LayersPerBlock)
            return $"it is for a UNet with levels of {Words(UNet.BlockOutChannels)} channels and {UNet.LayersPerBlock} resnets each, the "
                + $"model's has {Words(other.BlockOutChannels)} and {other.LayersPerBlock}";
        if (!UNet.DownBlockTypes.SequenceEqual(other.DownBlockTypes)
            || !UNet.TransformerLayersPerBlock.SequenceEqual(other.TransformerLayersPerBlock))
            return "its blocks have other transformers than those of the model's UNet";
        if (UNet.AdditionEmbedType != other.AdditionEmbedType
            || UNet.ProjectionClassEmbeddingsInputDim != other.ProjectionClassEmbeddingsInputDim)
            return $"it {(UNet.TakesAddedConditions ? "takes" : "takes no")} pooled text and sizes, unlike the model's UNet";
        if (UNet.InChannels != other.InChannels && UNet.InChannels != other.OutChannels)
            return $"it takes {UNet.InChannels} channels, the model's UNet {other.InChannels}";
        return null;
    }

    private static string Words(IEnumerable<int> numbers) => string.Join(", ", numbers);
}
