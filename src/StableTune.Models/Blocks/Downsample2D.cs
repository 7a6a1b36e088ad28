namespace StableTune.Models;

/// <summary>Halves height and width by a 3x3 convolution of stride 2.</summary>
/// <remarks>diffusers' <c>Downsample2D</c>. The UNet pads by 1 on all sides, the VAE's encoder by 1 right and below only.</remarks>
internal sealed class Downsample2D : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv;
    private readonly bool _padsAllSides;

    /// <summary>Creates the layer.</summary>
    /// <param name="channels">Channels of input and output.</param>
    /// <param name="padsAllSides">True: padding 1 on all sides (UNet). False: 0 left and above, 1 right and below (VAE).</param>
    internal Downsample2D(int channels, bool padsAllSides) : base(nameof(Downsample2D))
    {
        _padsAllSides = padsAllSides;
        conv = new Conv2d(channels, channels, 3, stride: 2, padding: padsAllSides ? 1 : 0);
        RegisterComponents();
    }

    /// <summary>[B, C, h, w] to [B, C, h/2, w/2], rounded up (UNet) or down (VAE).</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var output = _padsAllSides ? conv.call(hidden) : nn.functional.pad(hidden, [0, 1, 0, 1]).Into(conv);
        return output.MoveToOuterDisposeScope();
    }
}
