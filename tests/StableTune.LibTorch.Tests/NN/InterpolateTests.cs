namespace StableTune.LibTorch.Tests;

public sealed class InterpolateTests
{
    private static Tensor Row(params double[] values) => tensor(values).reshape(1, 1, 1, values.Length);

    public static TheoryData<InterpolationMode, bool?, bool, double[]> ToTwo => new()
    {
        // Four pixels 1 2 4 8 to two.
        { InterpolationMode.Nearest, null, false, [1, 4] },
        { InterpolationMode.NearestExact, null, false, [2, 8] },
        { InterpolationMode.Bilinear, null, false, [1.5, 6] },
        { InterpolationMode.Bilinear, false, false, [1.5, 6] },
        { InterpolationMode.Bilinear, true, false, [1, 8] },
        // Triangle of half-width 2 around 1 and 3: weights 3/4 3/4 1/4, and mirrored.
        { InterpolationMode.Bilinear, null, true, [3.25 / 1.75, (0.25 * 2 + 0.75 * 4 + 0.75 * 8) / 1.75] },
        // Half way between two: weights -3/32 19/32 19/32 -3/32, edges repeated.
        { InterpolationMode.Bicubic, null, false, [1.3125, 6.1875] },
        { InterpolationMode.Area, null, false, [1.5, 6] },
    };

    [Theory]
    [MemberData(nameof(ToTwo))]
    public void Interpolate_FourToTwo_ByHand(InterpolationMode mode, bool? corners, bool antialias, double[] expected)
    {
        using var scope = NewDisposeScope();
        Close.To(nn.functional.interpolate(Row(1, 2, 4, 8), [1, 2], mode: mode, align_corners: corners, antialias: antialias), expected, 1e-12);
    }

    [Fact]
    public void Interpolate_Enlarging_ByHand()
    {
        using var scope = NewDisposeScope();
        var square = tensor(new double[] { 1, 2, 3, 4 }).reshape(1, 1, 2, 2);
        Close.To(nn.functional.interpolate(square, scale_factor: [2]), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4], 0);
        Close.To(nn.functional.interpolate(Row(1, 2), [1, 4], mode: InterpolationMode.Bilinear), [1, 1.25, 1.75, 2], 1e-15);
        Close.To(nn.functional.interpolate(Row(1, 2), [1, 4], mode: InterpolationMode.Bilinear, align_corners: true), [1, 4.0 / 3, 5.0 / 3, 2], 1e-15);
        Close.To(nn.functional.interpolate(Row(1, 2).squeeze(2), [4], mode: InterpolationMode.Linear), [1, 1.25, 1.75, 2], 1e-15);
    }

    [Fact]
    public void Interpolate_ByFactor_MapsByTheFactorUnlessRecomputed()
    {
        using var scope = NewDisposeScope();
        // 3 · 1.5 = 4.5 gives 4 pixels. The last lies at 3.5 / 1.5 - 0.5 = 1.8333, or by the sizes' ratio at 3.5 · 0.75 - 0.5 > 2.
        var x = Row(0, 10, 20);
        var byFactor = nn.functional.interpolate(x, scale_factor: [1, 1.5], mode: InterpolationMode.Bilinear);
        Assert.Equal([1L, 1, 1, 4], byFactor.shape);
        Assert.Equal(18.333333333333332, byFactor[0, 0, 0, 3].ToDouble(), 12);
        var bySize = nn.functional.interpolate(x, scale_factor: [1, 1.5], mode: InterpolationMode.Bilinear, recompute_scale_factor: true);
        Assert.Equal(20, bySize[0, 0, 0, 3].ToDouble(), 12);
    }

    [Theory]
    [InlineData(InterpolationMode.Nearest)]
    [InlineData(InterpolationMode.Bilinear)]
    [InlineData(InterpolationMode.Bicubic)]
    [InlineData(InterpolationMode.Area)]
    public void Interpolate_Gradients(InterpolationMode mode)
    {
        using var scope = NewDisposeScope();
        GradientCheck.Of(p => nn.functional.interpolate(p[0], [5, 3], mode: mode), randn([1, 2, 3, 4], ScalarType.Float64));
    }

    [Fact]
    public void Interpolate_ContradictingOptions_Throw()
    {
        using var scope = NewDisposeScope();
        var x = Row(1, 2);
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x));
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x, [1, 1], [1]));
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x, [1, 1, 1]));
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x, [1, 1], align_corners: true));
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x, [1, 1], mode: InterpolationMode.Area, antialias: true));
        Assert.Throws<ArgumentException>(() => nn.functional.interpolate(x, [1, 1], mode: InterpolationMode.Linear));
    }

    [Fact]
    public void Pad_ByHand()
    {
        using var scope = NewDisposeScope();
        var x = Row(1, 2, 3);
        Close.To(nn.functional.pad(x, [1, 2]), [0, 1, 2, 3, 0, 0], 0);
        Close.To(nn.functional.pad(x, [1, 0], value: 7), [7, 1, 2, 3], 0);
        Close.To(nn.functional.pad(x, [-1, 0]), [2, 3], 0);
        Close.To(nn.functional.pad(x, [2, 1, 0, 0], PaddingModes.Reflect), [3, 2, 1, 2, 3, 2], 0);
        Close.To(nn.functional.pad(x, [1, 0, 1, 0], PaddingModes.Replicate), [1, 1, 2, 3, 1, 1, 2, 3], 0);
        Close.To(nn.functional.pad(x, [1, 1, 0, 0], PaddingModes.Circular), [3, 1, 2, 3, 1], 0);
        Assert.Equal([1L, 1, 4, 3], nn.functional.pad(x, [0, 0, 1, 2]).shape);
        GradientCheck.Of(p => nn.functional.pad(p[0], [1, 1, 0, 0], PaddingModes.Reflect), x);
    }
}
