using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Makes a control picture as small as the latents. Starts without effect, because the last convolution is 0.</summary>
/// <remarks>diffusers' <c>ControlNetConditioningEmbedding</c>; Zhang et al., Adding conditional control to text-to-image diffusion models,
/// arXiv:2302.05543.</remarks>
internal sealed class ControlConditionEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<Conv2d> blocks;
    private readonly Conv2d conv_out;

    internal ControlConditionEmbedding(ControlNetModelOptions options) : base(nameof(ControlConditionEmbedding))
    {
        var channels = options.ConditioningEmbeddingChannels;
        conv_in = new Conv2d(options.ConditioningChannels, channels[0], 3, padding: 1);
        blocks = new ModuleList<Conv2d>(Enumerable.Range(0, channels.Count - 1).SelectMany(level => new[]
        {
            new Conv2d(channels[level], channels[level], 3, padding: 1),
            new Conv2d(channels[level], channels[level + 1], 3, stride: 2, padding: 1),
        }).ToArray());
        conv_out = new Conv2d(channels[^1], options.UNet.BlockOutChannels[0], 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>The convolutions that do not start at 0, in their order.</summary>
    internal IEnumerable<Conv2d> Drawn => [conv_in, .. blocks];

    /// <summary>The convolution that starts at 0.</summary>
    internal Conv2d Last => conv_out;

    /// <summary>[B, channels, H, W] to [B, first level's channels, h, w].</summary>
    public override Tensor forward(Tensor picture)
    {
        using var scope = NewDisposeScope();
        var hidden = nn.functional.silu(conv_in.call(picture));
        foreach (var block in blocks) hidden = nn.functional.silu(block.call(hidden));
        return conv_out.call(hidden).MoveToOuterDisposeScope();
    }
}
