namespace StableTune.Training.Tests.Plots;

/// <summary>Smoothing, gaps, and the numbers beside the axes.</summary>
public sealed class StepSeriesTests
{
    [Fact]
    public void Smoothed_Values_AreTheCorrectedExponentialMean()
    {
        var smoothed = Series(4, 2, double.NaN, 6).Smoothed(0.5).Runs().Single();
        Assert.Equal([1, 2, 4], smoothed.Steps);
        Assert.Equal([4, (0.25 * 4 + 0.5 * 2) / 0.75, (0.125 * 4 + 0.25 * 2 + 0.5 * 6) / 0.875], smoothed.Values);
        Assert.All(Series(3, 3, 3).Smoothed(0.9).Runs().Single().Values, value => Assert.Equal(3, value, 12));
    }

    [Fact]
    public void Runs_ValuesThatAreNotFinite_LeaveGaps()
    {
        var runs = Series(double.NaN, 1, 2, double.NegativeInfinity, double.NaN, 3).Runs().ToList();
        Assert.Equal([[2, 3], [6]], runs.Select(run => run.Steps));
        Assert.Equal([[1, 2], [3]], runs.Select(run => run.Values));
        Assert.Empty(Series().Runs());
        Assert.Empty(Series(double.NaN).Smoothed(0.9).Runs());
    }

    [Fact]
    public void IsSame_ComparesStepsAndValues()
    {
        Assert.True(Series(1, 2).IsSame(Series(1, 2)));
        Assert.False(Series(1, 2).IsSame(Series(1, 3)));
        Assert.False(Series(1, 2).IsSame(Series(1)));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1500, "1500")]
    [InlineData(0.05, "0.05")]
    [InlineData(2.5e-5, "2.5e-5")]
    [InlineData(-1e-4, "-1e-4")]
    [InlineData(3e9, "3e9")]
    public void Number_OfAnAxis_IsShort(double value, string expected) => Assert.Equal(expected, PlotStyle.Number(value));

    private static StepSeries Series(params double[] values)
    {
        var series = new StepSeries();
        for (var i = 0; i < values.Length; i++) series.Add(i + 1, values[i]);
        return series;
    }
}
