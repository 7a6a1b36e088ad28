using System.Security.Cryptography;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using StableTune.Imaging;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>The page about a run.</summary>
public sealed partial class RunReportTests : IDisposable
{
    private const string Hostile = "<script>alert('x')</script> \"&\" {{7*7}} \u202e\u0001";

    private readonly TemporaryFolder _folder = new();

    private string Page => _folder.File("out", "report.html");

    private string Html => File.ReadAllText(Page);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithReport_WritesAPageThatNeedsNothingElse()
    {
        var result = Builder(Hostile).SaveEvery(steps: 2).WithClock(new ManualClock()).Train();
        Assert.Contains("<span class=\"badge finished\">finished</span>", Html);
        Assert.Contains("2026-03-04 05:06:07 +00:00", Html);
        // Both files, with the checksum that other programs compute.
        Assert.Contains($"<code>{Hash(result.Files[0])}</code>", Html);
        Assert.Contains("tiny-step00000002.safetensors", Html);
        Assert.Contains("<h2>Loss</h2>", Html);
        Assert.Contains("<h2>Learning rate</h2>", Html);
        Assert.Contains("<h2>Loss by timestep</h2>", Html);
        Assert.Contains("<figcaption>before</figcaption>", Html);
        Assert.Contains("<figcaption>step 3</figcaption>", Html);
        Assert.Equal(2, Regex.Count(Html, "src=\"data:image/jpeg;base64,"));
        Assert.Contains("<th>Trainables[0].Adapter.Rank</th><td>1</td>", Html);
        AssertWellFormed();
        // Nothing is fetched, and nothing can run.
        Assert.DoesNotContain("http", Regex.Replace(Html, "http-equiv", ""));
        Assert.DoesNotContain("<script", Html);
        Assert.DoesNotContain("<link", Html);
        Assert.Contains("default-src 'none'", Html);
        // What people type is text.
        Assert.Contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &quot;&amp;&quot; {{7*7}}", Html);
    }

    [Fact]
    public void APage_ThatNoRunHasWritten_IsRefused_AndThatOfARunIsReplaced()
    {
        Builder("frog").Train();
        Builder("frog").Overwrite().Train();
        File.WriteAllText(Page, "<p>mine</p>");
        Assert.Contains("RunReport.path", Assert.Throws<InvalidOptionsException>(() => Builder("frog").Overwrite().Build()).Message,
            StringComparison.Ordinal);
    }

    /// <summary>The clock has seen one step, whatever its number.</summary>
    [Fact]
    public void Speed_OfARunThatBeginsLater_CountsItsOwnSteps()
    {
        Builder("frog").StartAt(new StartOptions { Step = 2 }).Train();
        string Fact(string name) => Regex.Match(Html, $"<th>{name}</th><td>([^<]+)</td>").Groups[1].Value;
        Assert.Equal(Fact("training steps"), Fact("a step"));
        Assert.NotEmpty(Fact("a step"));
    }

    [Fact]
    public void Pictures_InThePage_AreSmallCopiesOfTheSamples()
    {
        Builder("frog").Train();
        var encoded = Regex.Match(Html, "base64,([^\"]+)").Groups[1].Value;
        Assert.Equal(new PixelSize(64, 64), ImageFile.Decode(Convert.FromBase64String(encoded)).Size);
        Assert.Contains("<img width=\"64\" height=\"64\"", Html);
    }

    [Fact]
    public void Train_Cancelled_StillWritesThePage()
    {
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Builder("frog").Train(Reports.CancelAt(2, source), source.Token));
        Assert.Contains("badge cancelled", Html);
        Assert.Contains("2 of 3", Html);
        Assert.Contains("2, interrupted", Html);
    }

    [Fact]
    public void Train_Broken_SaysWhatEndedIt_Escaped()
    {
        var broken = new Recorder
        {
            Before = what => { if (what == "step 2") throw new InvalidTimeZoneException("<b>no</b>\ntwo lines"); },
        };
        Assert.Throws<InvalidTimeZoneException>(() => Builder("frog").WithObserver(broken).StopOnObserverFault().Train());
        Assert.Contains("badge failed", Html);
        Assert.Contains("&lt;b&gt;no&lt;/b&gt;\ntwo lines", Html);
        AssertWellFormed();
    }

    [Fact]
    public void Train_Stopped_SaysSo()
    {
        var control = new TrainingControl();
        Builder("frog").WithControl(control).WithObserver(new Recorder { Before = what => { if (what == "step 1") control.Stop(); } })
            .Train();
        Assert.Contains("stopped early", Html);
    }

    [Fact]
    public void Train_Resumed_TellsTheWholeRun()
    {
        using var source = new CancellationTokenSource();
        var state = _folder.File("out", "tiny");
        Assert.ThrowsAny<OperationCanceledException>(
            () => Builder("frog").SaveEvery(steps: 1).SaveState(state).Train(Reports.CancelAt(2, source), source.Token));
        Builder("frog").ResumeFromLatest(_folder.File("out")).Overwrite().Train();
        Assert.Contains("<th>resumed at step</th><td>2</td>", Html);
        // All three steps are in the line, and a file of before in the list.
        Assert.Equal(3, Regex.Match(Html, "<polyline class=\"raw\" points=\"([^\"]+)\"").Groups[1].Value.Trim().Split(' ').Length);
        Assert.Contains("tiny-step00000001.safetensors", Html);
        Assert.Contains("<figcaption>before</figcaption>", Html);
    }

    [Fact]
    public void SamplesThatAreGone_AreSaidToBe()
    {
        ITrainingObserver report = new RunReport(Page);
        var broken = _folder.File("broken.png");
        File.WriteAllText(broken, "no picture");
        report.OnStart(new TrainingStart(new TrainingPlan(), 10, 1, 5));
        report.OnSample(0, [_folder.File("none.png"), broken]);
        report.OnEnd(new TrainingEnd(10, null));
        Assert.Equal(2, Regex.Count(Html, "cannot be read any more"));
        AssertWellFormed();
    }

    [Fact]
    public void NumbersThatAreNone_LeaveGaps()
    {
        ITrainingObserver report = new RunReport(Page);
        report.OnStart(new TrainingStart(new TrainingPlan(), 5, 1, 5) { Warnings = ["odd <thing>"] });
        foreach (var (loss, i) in new[] { 1, 2, double.NaN, 3, double.PositiveInfinity }.Select((loss, i) => (loss, i)))
            report.OnStep(new TrainingProgress
            {
                Phase = TrainingPhase.Training, Step = i + 1, TotalSteps = 5, Loss = loss, AverageLoss = double.NaN,
                LearningRates = new Dictionary<string, double> { ["a <group>"] = double.NaN },
            });
        report.OnValidation(new TrainingValidation(5, 1, true, double.NaN, 1));
        report.OnEnd(new TrainingEnd(5, null));
        Assert.Contains("odd &lt;thing&gt;", Html);
        Assert.Contains("a &lt;group&gt;", Html);
        Assert.DoesNotContain("NaN", Html);
        Assert.DoesNotContain("∞", Html);
        Assert.Contains("<circle class=\"raw dot\"", Html);                          // a step alone between two gaps
        AssertWellFormed();
    }

    [Fact]
    public void LongRuns_AreDrawnWithFewPoints_AndKeepTheirPeaks()
    {
        ITrainingObserver report = new RunReport(Page);
        report.OnStart(new TrainingStart(new TrainingPlan(), 50_000, 1, 5));
        for (var i = 1; i <= 50_000; i++)
            report.OnStep(new TrainingProgress
            {
                Phase = TrainingPhase.Training, Step = i, TotalSteps = 50_000, Loss = i == 25_000 ? 9 : 1,
            });
        report.OnEnd(new TrainingEnd(50_000, null));
        Assert.InRange(new FileInfo(Page).Length, 10_000, 120_000);
        Assert.Contains("Rare peaks are cut off.", Html);
        var points = Regex.Match(Html, "<polyline class=\"raw\" points=\"([^\"]+)\"").Groups[1].Value.Trim().Split(' ');
        Assert.Contains(points, point => double.Parse(point.Split(',')[1], System.Globalization.CultureInfo.InvariantCulture) < 0);
    }

    [Fact]
    public void Build_WithAFolderForAPage_IsRefused() => Assert.Contains("RunReport.path",
        Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).WithReport(_folder.Folder("page.html")).Build()).Message);

    [Fact]
    public void End_WithoutStart_WritesNothing()
    {
        ITrainingObserver report = new RunReport(Page);
        report.OnEnd(new TrainingEnd(0, new IOException("x")));
        Assert.False(File.Exists(Page));
    }

    private TrainerBuilder Builder(string prompt) => TinyRun.Builder(_folder).WithReport(Page).WithSamples(_folder.File("samples"),
        new TextToImageOptions { Prompt = prompt, Width = 64, Height = 64, Steps = 1 });

    private static string Hash(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));

    /// <summary>Every tag is closed, every attribute quoted: a text that broke out would break this.</summary>
    private void AssertWellFormed()
    {
        var body = Html[Html.IndexOf("<body>", StringComparison.Ordinal)..].Replace("</html>", "", StringComparison.Ordinal);
        XElement.Parse(Img().Replace(body, "$0</img>"), LoadOptions.None);
    }

    [GeneratedRegex("<img [^>]*>")]
    private static partial Regex Img();
}
