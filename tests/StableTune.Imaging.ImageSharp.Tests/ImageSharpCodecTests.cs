namespace StableTune.Imaging.Tests;

public sealed class ImageSharpCodecTests : CodecContract
{
    protected override IImageCodec Codec => ImageSharpCodec.Instance;

    /// <summary>
    /// As measured with 2.1.13: JPEGs are rounded otherwise, and halved colours are enlarged otherwise; all else is exact.
    /// </summary>
    protected override (int Largest, double Mean) Bound(string name) => name switch
    {
        "jpeg_gray.jpg" or "jpeg_cmyk.jpg" => (1, 0.03),
        "jpeg_444.jpg" => (3, 0.05),
        "jpeg_baseline.jpg" or "jpeg_progressive.jpg" => (33, 4.1),
        _ when name.EndsWith(".jpg", StringComparison.Ordinal) => (78, 6.0),
        _ => (0, 0),
    };
}
