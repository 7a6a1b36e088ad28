namespace StableTune.Tensors.Tests;

/// <summary>The comparison that all parity tests rely on must be able to fail.</summary>
public sealed class GoldenTests
{
    [Fact]
    public void Describe_LargestDifference_NamesIndexAndBothValues()
    {
        using var scope = NewDisposeScope();
        var expected = tensor(new[] { 1f, 2f, 3f, 4f, 5f, 6f }, [2, 3]);
        var actual = tensor(new[] { 1f, 2f, 3f, 4f, 5.5f, 6.25f }, [2, 3]);
        Assert.Equal("x: largest difference 0.5 at [1, 1]: is 5.5, expected 5; allowed 0.1; 2 of 6 elements are outside",
            GoldenComparison.Describe("x", expected, actual, 0.1));
        Assert.Null(GoldenComparison.Describe("x", expected, actual, 0.5));
        Assert.Null(GoldenComparison.Describe("x", expected, actual, 0.1, relativeToMax: true));
        Assert.NotNull(GoldenComparison.Describe("x", expected, actual, 0.05, relativeToMax: true));
    }

    [Fact]
    public void Describe_NaNAndShapes_AreDifferences()
    {
        using var scope = NewDisposeScope();
        var (one, nan) = (tensor(new[] { 1f }), tensor(new[] { float.NaN }));
        Assert.NotNull(GoldenComparison.Describe("x", one, nan, 1e9));
        Assert.NotNull(GoldenComparison.Describe("x", nan, one, 1e9));
        Assert.Null(GoldenComparison.Describe("x", nan, nan, 0));
        Assert.Contains("[1, 1], expected [1]", GoldenComparison.Describe("x", one, one.unsqueeze(0), 1));
    }

    [Fact]
    public void Open_Fixture_LoadsItsTensorsByName()
    {
        using var golden = Golden.Open("diffusion", "schedule.safetensors");
        Assert.Equal([1000L], golden["alphas_cumprod"].shape);
        golden.AssertClose("alphas_cumprod", golden["alphas_cumprod"] + 1e-7, 2e-7);
    }
}
