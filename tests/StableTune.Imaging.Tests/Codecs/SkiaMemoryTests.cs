namespace StableTune.Imaging.Tests;

[Collection(nameof(Alone))]
public sealed class SkiaMemoryTests : CodecMemory
{
    protected override IImageCodec Codec => SkiaCodec.Instance;
}
