using StableTune.Imaging;
using StableTune.Models;

namespace StableTune.Diffusion.Tests;

/// <summary>Control pictures: their numbers, and options that cannot work.</summary>
public class ControlPictureTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Of_IsTheBytesDividedBy255_ChannelByChannel(int channels)
    {
        using var scope = NewDisposeScope();
        var bytes = Enumerable.Range(0, 2 * 3 * channels).Select(i => (byte)(i * 7)).ToArray();
        var picture = ControlPicture.Of(new PixelImage(3, 2, channels, bytes), CPU);
        Assert.Equal([1L, 3, 2, 3], picture.shape);
        for (var y = 0; y < 2; y++)
            for (var x = 0; x < 3; x++)
                for (var channel = 0; channel < 3; channel++)
                    Assert.Equal(bytes[(((y * 3) + x) * channels) + channel] / 255f, picture[0, channel, y, x].item<float>());
    }

    [Fact]
    public void Options_TakeTheSizeOfThePicture_AndRefuseAnother()
    {
        var options = new TextToImageOptions { ControlImage = new PixelImage(16, 24) };
        Assert.Empty(options.Validate());
        Assert.Equal(new PixelSize(16, 24), options.Size);
        var problem = Assert.Single((options with { Width = 32 }).Validate());
        Assert.Equal("TextToImageOptions.ControlImage", problem.Option);
        Assert.Contains("32x24", problem.Rule);
        Assert.Equal("TextToImageOptions.ControlScale", Assert.Single((options with { ControlScale = double.NaN }).Validate()).Option);
    }

    [Fact]
    public void ControlNet_WithoutPicture_IsRefused()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var random = new Generator(1);
        using var network = ControlNetModel.FromUNet(unet, random);
        Assert.Equal("TextToImageOptions.ControlNet",
            Assert.Single(new TextToImageOptions { ControlNet = network, Width = 64, Height = 64 }.Validate()).Option);
    }
}
