using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;
using StableTune.Data;

namespace StableTune.Imaging.Tests;

public sealed class HostImageExtensionsTests
{
    private static readonly ImageLoadOptions s_keepAlpha = new() { KeepAlpha = true };

    [Fact]
    public void FromImageSharp_Rgb_GivesItsPixelsAndIsOpaque()
    {
        using var image = new Image<Rgb24>(3, 2);
        image[2, 1] = new Rgb24(10, 20, 30);
        var source = HostImage.FromImageSharp("frog", image);
        Assert.Equal(("frog", new PixelSize(3, 2)), (source.Name, source.ReadSize(new())));
        Assert.Equal([10, 20, 30], source.Load(new()).Pixels[^3..]);
        Assert.Equal([10, 20, 30, 255], source.Load(s_keepAlpha).Pixels[^4..]);
    }

    [Fact]
    public void FromImageSharp_Rgba_DropsOrKeepsAlpha()
    {
        using var image = new Image<Rgba32>(2, 2);
        image[0, 0] = new Rgba32(1, 2, 3, 0);
        var source = HostImage.FromImageSharp("frog", image);
        Assert.Equal([1, 2, 3], source.Load(new()).Pixels[..3]);
        Assert.Equal([1, 2, 3, 0], source.Load(s_keepAlpha).Pixels[..4]);
    }

    [Fact]
    public void FromImageSharp_WithoutNameOrImage_IsRefused()
    {
        using var image = new Image<Rgb24>(1, 1);
        Assert.Throws<ArgumentException>(() => HostImage.FromImageSharp(" ", image));
        Assert.Throws<ArgumentNullException>(() => HostImage.FromImageSharp("x", (Image<Rgb24>)null!));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void ToImageSharp_AndBack_KeepsEveryPixel(int channels)
    {
        var picture = new PixelImage(37, 23, channels);
        new Random(channels).NextBytes(picture.Pixels);
        using var image = picture.ToImageSharp();
        Assert.Equal(picture.Pixels, (image is Image<Rgba32> rgba ? rgba.ToPixelImage() : ((Image<Rgb24>)image).ToPixelImage()).Pixels);
        Assert.Equal(channels == 4, image is Image<Rgba32>);
    }

    [Fact]
    public void Load_OnManyThreads_GivesTheSame()
    {
        using var image = new Image<Rgb24>(200, 100, new Rgb24(1, 2, 3));
        var source = HostImage.FromImageSharp("frog", image);
        var expected = source.Load(new()).Pixels;
        Parallel.For(0, 64, _ => Assert.Equal(expected, source.Load(new()).Pixels));
    }

    [Fact]
    public void AddImages_OfImageSharp_BuildsADataSet()
    {
        using var image = new Image<Rgb24>(96, 64);
        var dataset = new DatasetBuilder().AddImages([new DatasetItem(HostImage.FromImageSharp("frog", image),
            "a frog")]).WithResolution(64).Build();
        Assert.Equal(new PixelSize(96, 64), Assert.Single(dataset.Samples).ImageSize);
    }
}
