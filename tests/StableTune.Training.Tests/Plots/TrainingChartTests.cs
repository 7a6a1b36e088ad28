using SkiaSharp;

namespace StableTune.Training.Tests.Plots;

/// <summary>The picture of a run: what is in it, and that it is drawn whatever was measured.</summary>
public sealed class TrainingChartTests
{
    private static readonly SKColor s_raw = SKColor.Parse("#9CC5F0"), s_smooth = SKColor.Parse("#1F6FC2");
    private static readonly SKColor s_firstRate = SKColor.Parse("#1F77B4"), s_secondRate = SKColor.Parse("#FF7F0E");

    [Fact]
    public void ToPng_LossAndRates_AreBothDrawn()
    {
        using var picture = Draw(50, step => 60.0 - step, ("unet", 1e-4), ("text_encoder", 5e-5));
        Assert.Equal((960, 840), (picture.Width, picture.Height));
        var line = Places(picture, s_smooth);
        var (first, last) = (line.MinBy(place => place.X), line.Where(place => place.X < 760).MaxBy(place => place.X));
        Assert.True(first.Y < 120 && last.Y > 300, $"the loss falls from {first} to {last}");
        Assert.NotEmpty(Places(picture, s_raw));
        Assert.InRange(Places(picture, s_firstRate).Count(place => place.Y > 580), 100, 10_000);
        Assert.InRange(Places(picture, s_secondRate).Count(place => place.Y > 580), 100, 10_000);
    }

    [Fact]
    public void ToPng_WithoutRates_HasTheLossAlone()
    {
        using var picture = Draw(50, step => 1.0 / step);
        Assert.Equal((960, 540), (picture.Width, picture.Height));
    }

    [Fact]
    public void ToPng_Labels_AreDrawnWithoutFontsOfTheSystem()
    {
        using var picture = Draw(50, step => 1.0 / step, ("unet", 1e-4));
        Assert.InRange(Ink(picture, SKRectI.Create(400, 0, 160, 40)), 60, 2000);            // the title
        Assert.InRange(Ink(picture, SKRectI.Create(20, 60, 60, 400)), 200, 5000);           // the numbers beside the axis
        Assert.InRange(Ink(picture, SKRectI.Create(420, 505, 200, 25)), 100, 3000);         // "optimizer step"
        Assert.InRange(Ink(picture, SKRectI.Create(420, 800, 200, 25)), 100, 3000);
    }

    [Fact]
    public void ToPng_SameRates_AreOneLine()
    {
        using var one = Draw(20, step => step, ("a", 1e-4));
        using var two = Draw(20, step => step, ("a", 1e-4), ("b", 1e-4));
        Assert.Empty(Places(two, s_secondRate));
        Assert.Equal(Places(one, s_firstRate).Where(place => place.X < 700), Places(two, s_firstRate).Where(place => place.X < 700));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0.5)]
    [InlineData(20, double.NaN)]
    [InlineData(20, double.PositiveInfinity)]
    [InlineData(20, 0)]
    [InlineData(20, 1e300)]
    [InlineData(100_000, 1)]
    public void ToPng_OddValues_AreDrawn(int steps, double value)
    {
        using var picture = Draw(steps, step => step % 7 == 3 ? double.NaN : value, ("unet", value));
        Assert.Equal(960, picture.Width);
    }

    [Fact]
    public void ToPng_RatesOfManyGroups_AreDrawn()
    {
        using var picture = Draw(5, step => step, [.. Enumerable.Range(1, 60).Select(i => ($"block {i}", 1e-4 / i))]);
        Assert.Equal(840, picture.Height);
    }

    [Fact]
    public async Task ToPng_OnSeveralThreads_GivesTheSame()
    {
        var pictures = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(() => Chart(30, step => 1.0 / step, ("unet", 1e-4)).ToPng())));
        Assert.All(pictures, picture => Assert.Equal(pictures[0], picture));
    }

    private static SKBitmap Draw(int steps, Func<int, double> loss, params (string Name, double Rate)[] rates) =>
        SKBitmap.Decode(Chart(steps, loss, rates).ToPng());

    private static TrainingChart Chart(int steps, Func<int, double> loss, params (string Name, double Rate)[] rates)
    {
        var chart = new TrainingChart();
        for (var step = 1; step <= steps; step++)
        {
            chart.Add(new TrainingProgress
            {
                Phase = TrainingPhase.Training, Step = step, TotalSteps = steps, Loss = loss(step),
                LearningRates = rates.ToDictionary(rate => rate.Name, rate => rate.Rate),
            });
        }

        return chart;
    }

    private static List<(int X, int Y)> Places(SKBitmap picture, SKColor color) =>
        [.. from y in Enumerable.Range(0, picture.Height) from x in Enumerable.Range(0, picture.Width) where picture.GetPixel(
            x, y) == color select (x, y)];

    private static int Ink(SKBitmap picture, SKRectI area) =>
        (from y in Enumerable.Range(area.Top, area.Height) from x in Enumerable.Range(area.Left, area.Width) where picture.GetPixel(
            x, y).Red < 140 select 1).Count();
}
