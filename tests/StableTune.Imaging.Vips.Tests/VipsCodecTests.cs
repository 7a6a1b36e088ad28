namespace StableTune.Imaging.Tests;

public sealed class VipsCodecTests : CodecContract
{
    protected override IImageCodec Codec => VipsCodec.Instance;
}
