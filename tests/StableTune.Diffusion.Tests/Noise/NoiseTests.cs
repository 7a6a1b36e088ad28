using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class NoiseTests
{
    [Fact]
    public void NormalNoise_SameSeed_SameNumbersOfTheLatentsShape()
    {
        using var scope = NewDisposeScope();
        var latents = zeros(2, 4, 8, 8);
        using var first = new Generator(5);
        using var second = new Generator(5);
        var noise = new NormalNoise().Draw(latents, first);
        Assert.Equal(latents.shape, noise.shape);
        Assert.Equal(GoldenComparison.Floats(noise), GoldenComparison.Floats(new NormalNoise().Draw(latents, second)));
        Assert.NotEqual(GoldenComparison.Floats(noise), GoldenComparison.Floats(new NormalNoise().Draw(latents, second)));
        Assert.InRange(noise.std().item<float>(), 0.9f, 1.1f);
    }

    [Fact]
    public void NormalNoise_BFloat16Latents_TakeTheSameStreamRounded()
    {
        using var scope = NewDisposeScope();
        using var first = new Generator(5);
        using var second = new Generator(5);
        var exact = new NormalNoise().Draw(zeros(1, 4, 8, 8), first);
        var rounded = new NormalNoise().Draw(zeros(1, 4, 8, 8, dtype: ScalarType.BFloat16), second);
        Assert.Equal(ScalarType.BFloat16, rounded.dtype);
        Assert.Equal(GoldenComparison.Floats(exact.to(ScalarType.BFloat16)), GoldenComparison.Floats(rounded));
    }

    [Fact]
    public void UniformTimesteps_CoverTheRangeWithoutItsEnd()
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(3);
        var drawn = new UniformTimesteps { Min = 5, Max = 8 }.Draw(300, random);
        Assert.Equal(ScalarType.Int64, drawn.dtype);
        Assert.Equal([300L], drawn.shape);
        Assert.Equal([5f, 6f, 7f], GoldenComparison.Floats(drawn).Distinct().Order());
    }

    [Theory]
    [InlineData(-1, 1000, "UniformTimesteps.Min")]
    [InlineData(500, 500, "UniformTimesteps.Max")]
    [InlineData(500, 400, "UniformTimesteps.Max")]
    public void UniformTimesteps_ImpossibleRange_IsReported(int min, int max, string option) =>
        Assert.Equal(option, Assert.Single(new UniformTimesteps { Min = min, Max = max }.Validate()).Option);
}
