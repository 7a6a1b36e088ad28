namespace StableTune.Tests;

/// <summary>The name that somebody may have meant.</summary>
public sealed class NearNameTests
{
    private static readonly string[] s_options = ["shuffle_caption", "flip_aug", "color_aug", "resolution"];

    [Theory]
    [InlineData("shufle_caption", "shuffle_caption")]
    [InlineData("RESOLUTION", "resolution")]
    [InlineData("flip", "flip_aug")]
    [InlineData("aug", "flip_aug")]
    [InlineData("batch_size", null)]
    public void Of_Option_IsTheOneMeant(string wrong, string? expected) => Assert.Equal(expected, NearName.Of(wrong, s_options));

    [Fact]
    public void Of_NothingKnown_IsNone()
    {
        Assert.Null(NearName.Of("a", []));
        Assert.Null(NearName.Of(new string('x', 10_000), s_options));
    }

    [Fact]
    public void OfFiles_SameNameElsewhere_ComesFirst()
    {
        string[] files = ["unet/model.safetensors", "vae/model.safetensors", "unet/config.json", "README.md"];
        Assert.Equal(["unet/model.safetensors", "vae/model.safetensors"], NearName.OfFiles("unet/modle.bin", files).Take(2));
        Assert.Empty(NearName.OfFiles("nothing-like-it.txt", ["a"]));
        Assert.Equal(4, NearName.OfFiles("file0", Enumerable.Range(1, 9).Select(i => $"file{i}")).Count);
    }

    [Fact]
    public void OfFiles_EndlessNames_TakeNoTime()
    {
        var endless = new string('x', 1_000_000);
        Assert.Empty(NearName.OfFiles(endless, ["a", endless]));
        Assert.Empty(NearName.OfFiles("y", [endless]));
    }
}
