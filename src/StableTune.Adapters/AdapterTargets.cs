using StableTune.Adapters;

namespace StableTune.Adapters;

/// <summary>
/// Which layers get adapters: those below modules of certain classes. Classes are told by the name of the module's type or by
/// its own name (<c>GetName()</c>), whatever the case, so <c>ClipAttention</c> is <c>CLIPAttention</c>; no model type is known
/// here.
/// </summary>
public sealed record AdapterTargets
{
    /// <summary>Classes of the UNet.</summary>
    public IReadOnlyList<string> UNetClasses { get; init; } = ["Transformer2DModel"];

    /// <summary>Whether convolutions with kernels larger than 1x1 are adapted too. Default false.</summary>
    public bool Convolutions { get; init; }

    /// <summary>Classes of text encoders.</summary>
    public IReadOnlyList<string> TextEncoderClasses { get; init; } = ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP", "BertLayer", "LDMBertEncoderLayer"];

    /// <summary>
    /// What sd-scripts' <c>networks.lora</c> adapts without <c>conv_dim</c>: every linear layer and every 1x1 convolution below
    /// the UNet's transformers, and every linear layer of the text encoder's attention and feed-forward modules. Text encoders
    /// like BERT's, which sd-scripts does not know, are adapted in the same places.
    /// </summary>
    public static AdapterTargets SdScripts { get; } = new();

    /// <summary>
    /// What it adapts with <c>conv_dim</c>: also all convolutions and linear layers of the UNet's resnets, and the convolutions of its
    /// downsamplers and upsamplers.
    /// </summary>
    public static AdapterTargets SdScriptsWithConvolutions { get; } = new()
    {
        UNetClasses = ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
        Convolutions = true,
    };

    /// <summary>The classes of one part.</summary>
    internal IReadOnlyList<string> ClassesOf(AdapterParts part) => part == AdapterParts.UNet ? UNetClasses : TextEncoderClasses;

    /// <summary>Whether a layer below such a class is adapted: linear, a 1x1 convolution, or any convolution.</summary>
    internal bool Takes(LayerShape shape) => Convolutions || shape.Convolution is null or { IsPointwise: true };
}
