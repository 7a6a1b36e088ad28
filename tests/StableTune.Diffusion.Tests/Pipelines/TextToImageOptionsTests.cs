using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

public class TextToImageOptionsTests
{
    [Fact]
    public void Validate_Defaults_HaveNoProblems() => Assert.Empty(new TextToImageOptions().Validate());

    public static TheoryData<string, TextToImageOptions> Bad => new()
    {
        { "Width", new() { Width = 500 } },
        { "Width", new() { Width = 0 } },
        { "Height", new() { Height = -64 } },
        { "Steps", new() { Steps = 0 } },
        { "Steps", new() { Steps = 1001 } },
        { "GuidanceScale", new() { GuidanceScale = double.NaN } },
        { "GuidanceScale", new() { GuidanceScale = double.PositiveInfinity } },
        { "ClipSkip", new() { ClipSkip = 0 } },
        { "Prompt", new() { Prompt = "a (cat:1.1.1)" } },
        { "NegativePrompt", new() { NegativePrompt = "a (dog:1.1.1)" } },
        { "ImageCount", new() { ImageCount = 0 } },
        { "BatchSize", new() { BatchSize = 0 } },
        { "Prompt", new() { Prompt = null! } },
        { "NegativePrompt", new() { NegativePrompt = null! } },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_BadValue_NamesTheOption(string name, TextToImageOptions options) =>
        Assert.Equal("TextToImageOptions." + name, Assert.Single(options.Validate()).Option);

    [Fact]
    public void Validate_WidthOffByFour_TellsBothNeighbours() =>
        Assert.Equal("TextToImageOptions.Width is 500: the width must be a positive multiple of 8. Use 496 or 504.",
            Assert.Single(new TextToImageOptions { Width = 500 }.Validate()).ToString());

    [Fact]
    public void Validate_BadSampler_ReportsItsProblems() =>
        Assert.Equal("DdimSampler.Eta", Assert.Single(new TextToImageOptions { Sampler = new DdimSampler { Eta = -1 } }.Validate()).Option);
}
