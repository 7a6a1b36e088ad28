using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Pixels to the mean and the logarithm of the variance of their latents.</summary>
/// <remarks>diffusers' <c>Encoder</c>.</remarks>
internal sealed class Encoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<DownEncoderBlock2D> down_blocks;
    private readonly UNetMidBlock2D mid_block;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;
    private readonly ForwardSettings _settings;

    internal Encoder(VaeOptions options, ForwardSettings settings) : base(nameof(Encoder))
    {
        _settings = settings;
        var (first, last) = (options.BlockOutChannels[0], options.BlockOutChannels[^1]);
        conv_in = new Conv2d(options.InChannels, first, 3, padding: 1);
        down_blocks = new ModuleList<DownEncoderBlock2D>(Enumerable.Range(0, options.BlockOutChannels.Count)
            .Select(level => new DownEncoderBlock2D(options, level, settings)).ToArray());
        mid_block = new UNetMidBlock2D(last, options.NormNumGroups, settings);
        conv_norm_out = new GroupNorm(options.NormNumGroups, last, VaeBlock.Eps);
        conv_out = new Conv2d(last, 2 * options.LatentChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>[B, 3, H, W] to [B, 2 · latent channels, H/8, W/8].</summary>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return pixels.Through([
            conv_in.call, .. down_blocks.Select<DownEncoderBlock2D, Func<Tensor, Tensor>>(block => block.call), mid_block.call,
            x => _settings.NormSilu(conv_norm_out, x), conv_out.call,
        ]).MoveToOuterDisposeScope();
    }
}

/// <summary>Latents to pixels.</summary>
/// <remarks>diffusers' <c>Decoder</c>.</remarks>
internal sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<UpDecoderBlock2D> up_blocks;
    private readonly UNetMidBlock2D mid_block;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;
    private readonly ForwardSettings _settings;

    internal Decoder(VaeOptions options, ForwardSettings settings) : base(nameof(Decoder))
    {
        _settings = settings;
        var (first, last) = (options.BlockOutChannels[0], options.BlockOutChannels[^1]);
        conv_in = new Conv2d(options.LatentChannels, last, 3, padding: 1);
        up_blocks = new ModuleList<UpDecoderBlock2D>(Enumerable.Range(0, options.BlockOutChannels.Count)
            .Select(index => new UpDecoderBlock2D(options, index, settings)).ToArray());
        mid_block = new UNetMidBlock2D(last, options.NormNumGroups, settings);
        conv_norm_out = new GroupNorm(options.NormNumGroups, first, VaeBlock.Eps);
        conv_out = new Conv2d(first, options.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>[B, latent channels, h, w] to [B, 3, 8h, 8w].</summary>
    public override Tensor forward(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return latents.Through([
            conv_in.call, mid_block.call, .. up_blocks.Select<UpDecoderBlock2D, Func<Tensor, Tensor>>(block => block.call),
            x => _settings.NormSilu(conv_norm_out, x), conv_out.call,
        ]).MoveToOuterDisposeScope();
    }
}
