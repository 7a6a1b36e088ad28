namespace StableTune.Imaging.Tests;

[Collection(nameof(Alone))]
public sealed class ImageSharpMemoryTests : CodecMemory
{
    protected override IImageCodec Codec => ImageSharpCodec.Instance;
}
