namespace StableTune.Models;

/// <summary>Enlarges by nearest neighbours, then convolves 3x3.</summary>
/// <remarks>diffusers' <c>Upsample2D</c>.</remarks>
internal sealed class Upsample2D : nn.Module<Tensor, long, long, Tensor>
{
    private readonly Conv2d conv;

    internal Upsample2D(int channels) : base(nameof(Upsample2D))
    {
        conv = new Conv2d(channels, channels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>[B, C, h, w] to [B, C, height, width].</summary>
    /// <param name="hidden">The input.</param>
    /// <param name="height">Height of the output. In the UNet that of the next skip connection, which need not be twice h.</param>
    /// <param name="width">Width of the output.</param>
    public override Tensor forward(Tensor hidden, long height, long width)
    {
        using var scope = NewDisposeScope();
        var enlarged = nn.functional.interpolate(hidden, [height, width], mode: InterpolationMode.Nearest);
        return enlarged.Into(conv).MoveToOuterDisposeScope();
    }
}
