using SkiaSharp;

namespace StableTune.Training.Tests.Plots;

/// <summary>What is gathered by timestep, and its picture.</summary>
public sealed class TimestepChartTests
{
    private static readonly SKColor s_fill = SKColor.Parse("#1F6FC2");

    [Theory]
    [InlineData(1000, 20)]
    [InlineData(7, 7)]
    [InlineData(1001, 20)]
    public void EveryTimestep_FallsIntoTheRangeThatNamesIt(int timesteps, int bins)
    {
        var losses = new TimestepLosses();
        Assert.Null(losses.Histogram);
        for (var t = 0; t < timesteps; t++) losses.Add(t, t, timesteps);
        var histogram = losses.Histogram!;
        Assert.Equal((bins, timesteps, 0, timesteps),
            (histogram.Bins.Count, histogram.Count, histogram.Bins[0].From, histogram.Bins[^1].To));
        Assert.All(histogram.Bins, bin =>
        {
            Assert.Equal(bin.To - bin.From, bin.Count);
            Assert.Equal((bin.From + bin.To - 1) / 2.0, bin.MeanLoss);
        });
    }

    [Fact]
    public void State_HoldsSumsExactly_AndOneOfBeforeIsTaken()
    {
        var losses = new TimestepLosses();
        for (var i = 0; i < 100; i++) losses.Add(i * 7 % 1000, 1.0 / (i + 3), 1000);
        var writer = new StateWriter();
        losses.Save(writer.Within("by timestep"));
        var resumed = new TimestepLosses();
        resumed.Load(new StateReader("state", "loop", writer.Values, null).Within("by timestep"));
        Assert.Equal(losses.Histogram!.Bins, resumed.Histogram!.Bins);
        resumed = new TimestepLosses();
        resumed.Load(new StateReader("state", "loop", [], null).Within("by timestep"));
        Assert.Null(resumed.Histogram);
    }

    [Fact]
    public void Picture_HasABarForEachRangeWithSamples()
    {
        var losses = new TimestepLosses();
        losses.Add(25, 1, 1000);
        losses.Add(975, 0.5, 1000);
        using var picture = SKBitmap.Decode(TimestepChart.ToPng(losses.Histogram));
        Assert.Equal((960, 540), (picture.Width, picture.Height));
        int Height(int x) => Enumerable.Range(0, picture.Height).Count(y => picture.GetPixel(x, y) == s_fill);
        // The axis has 840 pixels from 90 on, for 1000 timesteps.
        var (first, last) = (Height(90 + 21), Height(90 + 819));
        Assert.InRange(first, 380, 430);
        Assert.InRange(last, (first / 2) - 5, (first / 2) + 5);
        Assert.Equal(0, Height(90 + 420));
    }

    [Fact]
    public void Picture_WithoutSamples_SaysSo()
    {
        using var picture = SKBitmap.Decode(TimestepChart.ToPng(null));
        Assert.Equal((960, 540), (picture.Width, picture.Height));
    }
}
