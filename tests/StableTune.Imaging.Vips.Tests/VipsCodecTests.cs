using StableTune.Testing;

namespace StableTune.Imaging.Tests;

public sealed class VipsCodecTests : CodecContract
{
    protected override IImageCodec Codec => VipsCodec.Instance;

    [Fact]
    public void FastDecoding_GivesTheDefaultCodecsPixels()
    {
        using var folder = new TemporaryFolder();
        var picture = ImageCases.Load("jpeg_444.jpg");
        foreach (var (width, height) in new[] { (160, 112), (164, 108), (165, 117) })
        {
            var path = folder.File($"{width}.jpg");
            ImageFile.SaveJpeg(path, picture.CenterCrop(width, height), 90);
            foreach (var divisor in new[] { 2.0, 2.7, 4.5, 8.0 })
            {
                var wanted = new PixelSize((int)(width / divisor), (int)(height / divisor));
                PixelImage Fast(IImageCodec codec)
                    => ImageFile.LoadResized(path, _ => new(wanted, 0, 0, wanted), new() { FastDecoding = true, Codec = codec });
                if (width % 8 == 0
                    || (width % 4 == 0 && divisor < 8)) ImageCases.AssertClose(Fast(SkiaCodec.Instance), Fast(VipsCodec.Instance), 0, 0);
                else Assert.Equal(wanted, Fast(VipsCodec.Instance).Size);                // a smaller fraction than the other takes
            }
        }
    }

    [Fact]
    public void Decode_ChangesNothingThatTheProcessShares()
    {
        var before = (NetVips.Cache.Max, NetVips.Cache.MaxMem, NetVips.Cache.MaxFiles, NetVips.NetVips.Concurrency);
        ImageFile.Load(ImageCases.ImagePath("jpeg_baseline.jpg"), new() { Codec = VipsCodec.Instance });
        Assert.Equal(before, (NetVips.Cache.Max, NetVips.Cache.MaxMem, NetVips.Cache.MaxFiles, NetVips.NetVips.Concurrency));
    }

    [Fact]
    public void Decode_SameArrayWithOtherContent_IsDecodedAnew()
    {
        var file = new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).End();
        var other = new PngBuilder(1, 1, 8, 2).Data(0, 4, 5, 6).End();
        var options = new ImageLoadOptions { Codec = VipsCodec.Instance };
        Assert.Equal([1, 2, 3], ImageFile.Decode(file, options).Pixels);
        other.CopyTo(file, 0);
        Assert.Equal([4, 5, 6], ImageFile.Decode(file, options).Pixels);
    }
}
