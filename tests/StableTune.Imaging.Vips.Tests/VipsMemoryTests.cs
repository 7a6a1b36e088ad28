namespace StableTune.Imaging.Tests;

[Collection(nameof(Alone))]
public sealed class VipsMemoryTests : CodecMemory
{
    protected override IImageCodec Codec => VipsCodec.Instance;
}
