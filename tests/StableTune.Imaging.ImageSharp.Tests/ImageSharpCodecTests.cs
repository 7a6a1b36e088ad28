namespace StableTune.Imaging.Tests;

public sealed class ImageSharpCodecTests : CodecContract
{
    protected override IImageCodec Codec => ImageSharpCodec.Instance;
}
