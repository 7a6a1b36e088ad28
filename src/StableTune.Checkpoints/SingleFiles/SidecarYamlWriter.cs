using System.Globalization;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes the <c>.yaml</c> that programs want beside SD 2.x checkpoints (SD 1.x is what they assume without), with the names of
/// Stability's inference configurations.</summary>
public static class SidecarYamlWriter
{
    /// <summary>The text of the file.</summary>
    /// <param name="prediction">What the UNet predicts; <see cref="ModelPrediction.V"/> is said in the file, anything else by leaving it
    /// out.</param>
    /// <param name="unet">The UNet's architecture.</param>
    /// <param name="vae">The VAE's architecture.</param>
    /// <param name="scheduler">The noise schedule; null for the published models'.</param>
    /// <param name="version">The family, which tells the text encoder: SD 1.x or 2.x.</param>
    public static string Text(
        ModelPrediction prediction, UNetOptions unet, VaeOptions vae, SchedulerOptions? scheduler = null,
            ModelVersion version = ModelVersion.Sd2)
    {
        ArgumentNullException.ThrowIfNull(unet);
        ArgumentNullException.ThrowIfNull(vae);
        scheduler ??= SchedulerOptions.Sd21;
        var width = unet.BlockOutChannels[0];
        string[] lines =
        [
            "model:",
            "  target: ldm.models.diffusion.ddpm.LatentDiffusion",
            "  params:",
            .. prediction == ModelPrediction.V ? ["    parameterization: \"v\""] : Array.Empty<string>(),
            $"    linear_start: {Number(scheduler.BetaStart)}",
            $"    linear_end: {Number(scheduler.BetaEnd)}",
            $"    timesteps: {scheduler.TrainTimesteps}",
            "    num_timesteps_cond: 1",
            "    log_every_t: 200",
            "    first_stage_key: \"jpg\"",
            "    cond_stage_key: \"txt\"",
            $"    image_size: {unet.SampleSize}",
            $"    channels: {vae.LatentChannels}",
            "    cond_stage_trainable: false",
            $"    conditioning_key: {(unet.InChannels == vae.LatentChannels ? "crossattn" : "hybrid")}",
            "    monitor: val/loss_simple_ema",
            $"    scale_factor: {Number(vae.ScalingFactor)}",
            "    use_ema: false",
            "    unet_config:",
            "      target: ldm.modules.diffusionmodules.openaimodel.UNetModel",
            "      params:",
            "        use_checkpoint: true",
            "        use_fp16: true",
            "        image_size: 32",
            $"        in_channels: {unet.InChannels}",
            $"        out_channels: {unet.OutChannels}",
            $"        model_channels: {width}",
            $"        attention_resolutions: [{string.Join(", ", AttentionResolutions(unet))}]",
            $"        num_res_blocks: {unet.LayersPerBlock}",
            $"        channel_mult: [{string.Join(", ", unet.BlockOutChannels.Select(channels => channels / width))}]",
            $"        {Heads(unet)}",
            "        use_spatial_transformer: true",
            $"        use_linear_in_transformer: {(unet.UseLinearProjection ? "true" : "false")}",
            $"        transformer_depth: {unet.TransformerLayersPerBlock[^1]}",
            $"        context_dim: {unet.CrossAttentionDim}",
            "        legacy: false",
            .. NormGroups("        ", unet.NormNumGroups),
            "    first_stage_config:",
            "      target: ldm.models.autoencoder.AutoencoderKL",
            "      params:",
            $"        embed_dim: {vae.LatentChannels}",
            "        monitor: val/rec_loss",
            "        ddconfig:",
            "          double_z: true",
            $"          z_channels: {vae.LatentChannels}",
            "          resolution: 256",
            $"          in_channels: {vae.InChannels}",
            $"          out_ch: {vae.OutChannels}",
            $"          ch: {vae.BlockOutChannels[0]}",
            $"          ch_mult: [{string.Join(", ", vae.BlockOutChannels.Select(channels => channels / vae.BlockOutChannels[0]))}]",
            $"          num_res_blocks: {vae.LayersPerBlock}",
            "          attn_resolutions: []",
            "          dropout: 0.0",
            .. NormGroups("          ", vae.NormNumGroups),
            "        lossconfig:",
            "          target: torch.nn.Identity",
            "    cond_stage_config:",
            .. version == ModelVersion.Sd1 ? ClipEmbedder : OpenClipEmbedder,
        ];
        return string.Join('\n', lines) + "\n";
    }

    // The format knows one number for all levels: channels of a head, as SD 2.x has, or heads.
    private static string Heads(UNetOptions unet) => unet.AttentionHeads.Distinct().Count() == 1
        ? $"num_heads: {unet.AttentionHeads[0]}" : $"num_head_channels: {unet.BlockOutChannels[0] / unet.AttentionHeads[0]}";

    private static readonly string[] ClipEmbedder = ["      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder"];

    private static readonly string[] OpenClipEmbedder =
    [
        "      target: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder",
        "      params:",
        "        freeze: true",
        "        layer: \"penultimate\"",
    ];

    // How much smaller than the latents the levels with attention are.
    private static IEnumerable<int> AttentionResolutions(UNetOptions unet) =>
        Enumerable.Range(0, unet.BlockOutChannels.Count).Reverse()
            .Where(level => unet.DownBlockTypes[level] == UNetOptions.CrossAttentionDown).Select(level => 1 << level);

    // An addition to the format, which has 32 in its code.
    private static IEnumerable<string> NormGroups(string indent, int groups) => groups == 32 ? [] : [$"{indent}norm_num_groups: {groups}"];

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);
}
