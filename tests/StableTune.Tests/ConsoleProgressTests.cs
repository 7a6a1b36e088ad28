using System.Globalization;

namespace StableTune.Tests;

/// <summary>The line of text that shows how far a run is.</summary>
public sealed class ConsoleProgressTests
{
    private static TrainingProgress Step(int step, double loss = 0.125) => new()
    {
        Phase = TrainingPhase.Training, Step = step, TotalSteps = 100, Epoch = 2, TotalEpochs = 10, Loss = loss, AverageLoss = 0.25,
        LearningRates = new Dictionary<string, double> { ["textencoder"] = 5e-5, ["unet"] = 1e-4 },
        StepsPerSecond = 1.5, Remaining = TimeSpan.FromSeconds(65), ResidentBytes = 512L << 20,
    };

    [Fact]
    public void Describe_AStep_TellsAllThatCounts() => Assert.Equal(
        "step 7/100 epoch 2/10 loss 0.1250 average 0.2500 lr 5e-5/1e-4 1.50 it/s left 1:05 512 MiB", ConsoleProgress.Describe(Step(7)));

    [Fact]
    public void Describe_LongTimesSharedRatesAndNoLoss_AreShownAsTheyAre()
    {
        var step = Step(1, double.NaN) with
        {
            Remaining = TimeSpan.FromHours(27.5), LearningRates = new Dictionary<string, double> { ["a"] = 1.25e-4, ["b"] = 1.25e-4 },
        };
        Assert.Contains("loss NaN", ConsoleProgress.Describe(step));
        Assert.Contains("lr 1.25e-4 ", ConsoleProgress.Describe(step));
        Assert.Contains("left 27:30:00", ConsoleProgress.Describe(step));
        Assert.DoesNotContain("left", ConsoleProgress.Describe(step with { Remaining = null }));
        Assert.DoesNotContain("lr", ConsoleProgress.Describe(step with { LearningRates = new Dictionary<string, double>() }));
    }

    [Fact]
    public void Describe_WaitingForData_IsShownWhereItCounts()
    {
        var step = Step(7) with { Elapsed = TimeSpan.FromSeconds(200), DataWait = TimeSpan.FromSeconds(50) };
        Assert.Contains(" 1.50 it/s waits for data 25 % left 1:05 ", ConsoleProgress.Describe(step));
        Assert.Equal(ConsoleProgress.Describe(Step(7)), ConsoleProgress.Describe(step with { DataWait = TimeSpan.FromSeconds(9) }));
    }

    [Fact]
    public void Describe_OtherStages_AreCounted() =>
        Assert.Equal("caching latents 3/8",
            ConsoleProgress.Describe(new TrainingProgress { Phase = TrainingPhase.Preparing,
            Work = new() { Stage = "caching latents", Done = 3, Total = 8 } }));

    [Fact]
    public void Describe_IsTheSameInEveryCulture()
    {
        var (before, expected) = (CultureInfo.CurrentCulture, ConsoleProgress.Describe(Step(7)));
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        comma.NumberFormat.NegativeSign = "~";
        try
        {
            CultureInfo.CurrentCulture = comma;
            Assert.Equal("0,5", $"{0.5}");
            Assert.Equal(expected, ConsoleProgress.Describe(Step(7)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Report_OnATerminal_WritesOverTheLine_AndCoversLongerOnes()
    {
        using var writer = new StringWriter();
        var progress = new ConsoleProgress(writer, interactive: true);
        progress.Report(Step(9));
        progress.Report(new TrainingProgress { Phase = TrainingPhase.Saving, Step = 9, TotalSteps = 100 });
        progress.Report(Step(100));
        progress.Report(new TrainingProgress { Phase = TrainingPhase.Saving, Step = 100, TotalSteps = 100 });
        var step = ConsoleProgress.Describe(Step(9));
        Assert.Equal(
            $"\r{step}\r{"saving 9/100".PadRight(step.Length)}\r{ConsoleProgress.Describe(Step(100))}{Environment.NewLine}\rsaving "
                + $"100/100{Environment.NewLine}", writer.ToString());
    }

    [Fact]
    public void Report_OnAFile_WritesALineEveryFewSeconds_AtStages_AndAtTheEnd()
    {
        using var writer = new StringWriter();
        var clock = new ManualClock();
        var progress = new ConsoleProgress(writer, interactive: false, clock);
        progress.Report(new TrainingProgress { Phase = TrainingPhase.Preparing, Work = new() { Stage = "loading", Done = 1, Total = 3 } });
        progress.Report(new TrainingProgress { Phase = TrainingPhase.Preparing, Work = new() { Stage = "loading", Done = 2, Total = 3 } });
        for (var step = 1; step <= 100; step++)
        {
            progress.Report(Step(step));
            clock.Advance(TimeSpan.FromSeconds(0.1));
        }

        var shown = writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["loading 1/3", "step 1/100", "step 51/100", "step 100/100"], shown.Select(l => l.Split(" epoch")[0]));
        Assert.DoesNotContain('\r', writer.ToString().Replace(Environment.NewLine, "", StringComparison.Ordinal));
    }

    [Fact]
    public void Report_Nothing_IsRefused() =>
        Assert.Throws<ArgumentNullException>(() => new ConsoleProgress(TextWriter.Null, true).Report(null!));
}
