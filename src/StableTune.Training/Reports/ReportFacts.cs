using System.Globalization;

namespace StableTune.Training;

/// <summary>What a record comes to, in words and numbers: names and values, grouped.</summary>
internal static class ReportFacts
{
    private static readonly CultureInfo s_culture = CultureInfo.InvariantCulture;

    /// <summary>What the result is called.</summary>
    public static string Title(TrainingPlan plan) =>
        plan.Savers.SelectMany(saver => saver.Outputs(plan)).Select(output => OutputNames.StemOf(output.Path))
            .FirstOrDefault(name => name.Length > 0) ?? Trained(plan);

    /// <summary>What is trained: "lora", "unet, text encoder".</summary>
    public static string Trained(TrainingPlan plan) =>
        string.Join(", ", plan.Trainables.Where(trainable => trainable.Trained).Select(trainable => trainable.EffectiveName));

    /// <summary>The base model's name, without folders.</summary>
    public static string Model(TrainingPlan plan) => plan.ModelPath is { } path ? RunMetadata.ModelName(path) : "a model of the program";

    /// <summary>The numbers that one looks at first.</summary>
    public static IEnumerable<(string Name, string Value)> Main(RunRecord record)
    {
        var (start, last) = (record.Started!, record.Last);
        yield return ("steps", record.Ended is { } end && end.Step < start.TotalSteps ? $"{end.Step} of {start.TotalSteps}"
            : start.TotalSteps.ToString(s_culture));
        if (last is not null) yield return ("epochs", $"{last.Epoch} of {last.TotalEpochs}");
        if (last is not null && double.IsFinite(last.AverageLoss)) yield return ("average loss", SvgChart.Number(last.AverageLoss));
        if (record.ValidationLoss.Values.Count > 0)
            yield return ("validation loss", SvgChart.Number(record.ValidationLoss.Values[^1]));
        if (last is not null) yield return ("training time", Time(last.Elapsed));
        if (last is not null && Speed(record) is { } speed) yield return ("images per second", SvgChart.Number(speed));
        if ((record.Peak ?? record.ResidentPeak) is > 0 and var peak) yield return ("peak memory", Bytes(peak));
        yield return ("trained numbers", start.TrainedParameters.ToString("#,0", s_culture));
    }

    /// <summary>What was done with the time, and what memory was needed.</summary>
    public static IEnumerable<(string Name, string Value)> Timing(RunRecord record)
    {
        yield return ("began", Moment(record.StartedAt));
        yield return ("ended", Moment(record.EndedAt));
        if (record.Started!.ResumedAt is { } resumed) yield return ("resumed at step", resumed.Step.ToString(s_culture));
        if (record.Last is not { } last) yield break;
        yield return ("training steps", Time(last.Elapsed));
        if (last.Elapsed > TimeSpan.Zero)
        {
            yield return ("of that, waiting for images", string.Create(s_culture,
                $"{Time(last.DataWait)} ({last.DataWait / last.Elapsed:P1})"));
            yield return ("a step", Time(last.Elapsed / Math.Max(1, record.Steps)));
        }

        if (record.Peak is { } peak) yield return ("peak memory", Bytes(peak));
        if (record.ResidentPeak > 0) yield return ("memory of the process after a step, at most", Bytes(record.ResidentPeak));
    }

    /// <summary>What it was trained on.</summary>
    public static IEnumerable<(string Name, string Value)> Data(RunRecord record)
    {
        if (record.Description?.Dataset is not { } dataset) yield break;
        yield return ("images, with repeats", dataset.TrainingImageCount.ToString("#,0", s_culture));
        if (dataset.RegularizationImageCount > 0)
            yield return ("regularisation images", dataset.RegularizationImageCount.ToString("#,0", s_culture));
        if (dataset.Validation is { } held) yield return ("held out", held.Samples.Count.ToString("#,0", s_culture));
        yield return ("batch size", dataset.Options.BatchSize.ToString(s_culture));
        yield return ("batches in an epoch", dataset.BatchesPerEpoch.ToString("#,0", s_culture));
        foreach (var folder in dataset.Folders)
            yield return ("folder " + folder.Name, $"{folder.ImageCount} images, {folder.Repeats} times");
        foreach (var bucket in dataset.Buckets)
            yield return ($"at {bucket.Size}", $"{bucket.Entries.Count} images, with repeats");
    }

    /// <summary>All options that change what is learnt, and how long.</summary>
    public static IEnumerable<(string Name, string Value)> Options(RunRecord record)
    {
        var plan = record.Plan;
        foreach (var (name, value) in PlanFacts.Of(plan, Model(plan))) yield return (name, value);
        yield return ("Length", plan.EffectiveLength.ToString());
        yield return ("GradientCheckpointing", plan.GradientCheckpointing ? "True" : "False");
        if (plan.Save.EveryNSteps is { } steps) yield return ("Save.EveryNSteps", steps.ToString(s_culture));
        if (plan.Save.EveryNEpochs is { } epochs) yield return ("Save.EveryNEpochs", epochs.ToString(s_culture));
    }

    public static string Moment(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss zzz", s_culture);

    public static string Time(TimeSpan time) => time.TotalSeconds < 60 ? string.Create(s_culture, $"{time.TotalSeconds:0.##} s")
        : time.TotalHours < 1 ? string.Create(s_culture, $"{time.Minutes} min {time.Seconds} s")
        : string.Create(s_culture, $"{(int)time.TotalHours} h {time.Minutes} min");

    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => string.Create(s_culture, $"{bytes} bytes"),
        < 1 << 20 => string.Create(s_culture, $"{bytes / 1024.0:0.#} KiB"),
        < 1 << 30 => string.Create(s_culture, $"{bytes / 1048576.0:0.#} MiB"),
        _ => string.Create(s_culture, $"{bytes / 1073741824.0:0.##} GiB"),
    };

    private static double? Speed(RunRecord record) => record.Last is { } last && last.Elapsed > TimeSpan.Zero
        && record.Description?.Dataset is { } dataset
            ? record.Steps * (double)dataset.Options.BatchSize * record.Plan.GradientAccumulation / last.Elapsed.TotalSeconds : null;
}
