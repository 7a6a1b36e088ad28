using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Samples;

/// <summary>Pictures as tensors.</summary>
internal static class Pixels
{
    /// <summary>The pictures of a source, [B, 3, H, W] in -1 ... 1.</summary>
    internal static Tensor Of(IDatasetSource source)
    {
        using var scope = NewDisposeScope();
        return stack(source.Items().Select(item => Of(item.Image!.Load(new ImageLoadOptions())))).MoveToOuterDisposeScope();
    }

    private static Tensor Of(PixelImage image)
    {
        var values = new float[3 * image.Width * image.Height];
        image.ToFloats(values);
        return tensor(values, [3, image.Height, image.Width]);
    }
}
