namespace StableTune.Adapters;

/// <summary>The layers that LyCORIS' presets adapt.</summary>
/// <remarks>
/// Its <c>attn-only</c> finds nothing in diffusers' UNet, whose attention has another name than the preset's; and its <c>ia3</c> finds
/// nothing at all, because names are matched from the start of the path. Here both adapt what they are meant to.
/// </remarks>
public static class LyCorisPresets
{
    private static readonly string[] s_text = ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP", "BertLayer", "LDMBertEncoderLayer"];
    private static readonly string[] s_textAttention =
        ["CLIPAttention", "CLIPSdpaAttention", "BertAttention", "LDMBertAttention", "SelfAttention"];

    private static readonly string[] s_all = ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"];
    private static readonly string[] s_linearNames = ["time_embedding.linear_1", "time_embedding.linear_2"];
    private static readonly string[] s_names = ["conv_in", "conv_out", .. s_linearNames];

    private static readonly string[] s_none = [LayerSelection.Nowhere];

    /// <summary>
    /// The presets by name: <c>full</c> (LyCORIS' default), <c>full-lin</c>, <c>attn-mlp</c>, <c>attn-only</c>, <c>unet-only</c>,
    /// <c>unet-transformer-only</c>, <c>unet-convblock-only</c>, <c>ia3</c>.
    /// </summary>
    public static Catalog<LayerSelection> All { get; } = new Catalog<LayerSelection>("LyCORIS preset")
        .With("full", () => new() { UNetClasses = s_all, UNetNames = s_names, TextEncoderClasses = s_text, Convolutions = true })
        .With("full-lin", () => new() { UNetClasses = s_all, UNetNames = s_linearNames, TextEncoderClasses = s_text })
        .With("attn-mlp", () => new() { UNetClasses = ["Transformer2DModel"], TextEncoderClasses = s_text })
        .With("attn-only", () => new()
        {
            UNetClasses = ["CrossAttention", "SelfAttention", "Attention"], TextEncoderClasses = s_textAttention,
        })
        .With("unet-only", () => new()
        {
            UNetClasses = s_all, UNetNames = s_names, TextEncoderClasses = s_none, Convolutions = true,
        })
        .With("unet-transformer-only", () => new() { UNetClasses = ["Transformer2DModel"], TextEncoderClasses = s_none })
        .With("unet-convblock-only", () => new()
        {
            UNetClasses = ["ResnetBlock2D", "Downsample2D", "Upsample2D"], UNetNames = ["conv_in", "conv_out"],
            TextEncoderClasses = s_none, Convolutions = true,
        })
        .With("ia3", () => new()
        {
            UNetClasses = s_none, UNetNames = [@".*\.to_[kv]$", @".*\.ff\.net\.2$"],
            TextEncoderClasses = s_none, TextEncoderNames = [@".*\.[kv]_proj$", @".*\.mlp\.fc2$"],
        });
}
