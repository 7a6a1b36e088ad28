using System.Diagnostics;
using System.Globalization;
using StableTune.Formats;
using StableTune.Optimizers;
using StableTune.Training;

namespace StableTune.FullSize;

/// <summary>
/// What it costs that a run is watched and never lost: logs and progress for each step, the time to write and to take up a state, and how
/// long a save in the background holds the run up.
/// </summary>
internal static class RunSaves
{
    /// <summary>Of the runs that are saved: the first save is the slowest, as its code is compiled then.</summary>
    private static int StepsOf(string kind) => kind == "full" ? 4 : 8;

    /// <summary>Trains a model with and without logs and progress, and tells the difference for each step.</summary>
    /// <param name="model">A folder; a tiny model shows the difference best, as its steps are short.</param>
    /// <param name="steps">Of each run.</param>
    /// <param name="rounds">Runs of each kind, alternately.</param>
    public static void Watch(string model, int steps, int rounds)
    {
        var work = Directory.CreateTempSubdirectory("stabletune-runs-").FullName;
        try
        {
            var (plain, watched, told) = (new List<double>(), new List<double>(), TimeSpan.Zero);
            _ = Seconds(Builder(model, work, 64), steps, null);               // the first run is the slowest
            for (var round = 0; round < rounds; round++)
            {
                plain.Add(Seconds(Builder(model, work, 64), steps, null));
                var progress = new Timed(new ConsoleProgress(TextWriter.Null, interactive: true));
                watched.Add(Seconds(Logged(Builder(model, work, 64), Path.Combine(work, $"{round}")), steps, progress));
                told += progress.Spent;
            }

            var cost = (Median(watched) - Median(plain)) / steps;
            Say($"{steps} steps: {Median(plain) / steps * 1e3:F2} ms a step");
            Say($"    {Median(watched) / steps * 1e3:F2} with JSON lines, CSV, TensorBoard, loss curve and progress");
            Say($"    {cost * 1e3:F2} ms for each step, of which {told.TotalMilliseconds / steps / rounds:F2} progress");
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Trains some steps and writes a state after each; then goes on from it; then the same in the background.</summary>
    /// <param name="model">The model's folder.</param>
    /// <param name="kind">lora or full (8-bit AdamW).</param>
    /// <param name="side">Of the pictures, in pixels.</param>
    public static void States(string model, string kind, int side)
    {
        var work = Directory.CreateTempSubdirectory("stabletune-runs-").FullName;
        try
        {
            var states = Path.Combine(work, "states");
            var clock = Stopwatch.StartNew();
            var (atOnce, fresh) = Saved(Builder(model, work, side, kind), Path.Combine(states, "a"), background: false);
            var bytes = Directory.GetFiles(Path.Combine(states, "a-state"), "*", SearchOption.AllDirectories)
                .Sum(file => new FileInfo(file).Length);
            var write = Median(atOnce.Writes);
            Say($"{kind}: a state of {bytes / 1e6:F1} MB, written in {write:F2} s ({bytes / 1e6 / write:F0} MB/s, hashed and flushed)");
            Say($"    a step takes {Median(fresh.Steps):F2} s; the first begins {fresh.Start:F2} s after the run");

            var resumed = new Clock();
            Builder(model, work, side, kind).For(TrainingLength.Steps(StepsOf(kind) + 1)).WithObserver(resumed).ResumeFrom(
                Path.Combine(states, "a-state")).KeepModel().Train().Dispose();
            Say($"    going on from it, the first step begins {resumed.Start:F2} s after the run: {resumed.Start - fresh.Start:F2} s more");

            var (later, beside) = Saved(Builder(model, work, side, kind), Path.Combine(states, "b"), background: true);
            var waits = beside.Pauses.SkipLast(1).ToList();
            var wait = Median(waits);
            var pauses = string.Join(", ", waits.Select(pause => (pause * 1e3).ToString("F1", CultureInfo.InvariantCulture)));
            Say($"    in the background: the run waits {wait * 1e3:F1} ms, {wait / write:P1} of the time of the save ({pauses})");
            Say($"    written meanwhile in {Median(later.Writes):F2} s; a step takes {Median(beside.Steps):F2} s");
            Say($"    peak {ProcessFigures.PeakGiB:F2} GiB, all in {clock.Elapsed.TotalSeconds:F0} s");
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static (TimedStates Saver, Clock Clock) Saved(TrainerBuilder builder, string path, bool background)
    {
        var (saver, clock) = (new TimedStates(new StateSaver(path) { KeepLast = 1 }), new Clock());
        builder.SaveTo(saver).WithObserver(clock).WithSaving(save => save with
        {
            EveryNSteps = 1, InBackground = background,
        }).KeepModel().Train().Dispose();
        return (saver, clock);
    }

    private static TrainerBuilder Builder(string model, string work, int side, string kind = "lora")
    {
        var builder = new TrainerBuilder().WithModel(model).WithImages(NoiseImages.Write(work, side), side).WithLearningRate(1e-6)
            .For(TrainingLength.Steps(StepsOf(kind))).On("cpu");
        return kind == "full" ? builder.WithFullTraining().WithOptimizer(new AdamW8bitOptions())
            : builder.WithLoRA(rank: 16, alpha: 8).TrainUNetOnly();
    }

    private static TrainerBuilder Logged(TrainerBuilder builder, string place) => builder.WithLog(place + ".jsonl")
        .WithCsvLog(place + ".csv").WithTensorBoard(place + "-board").WithLossCurve(place + ".png");

    private static double Seconds(TrainerBuilder builder, int steps, IProgress<TrainingProgress>? progress)
    {
        var clock = new Clock();
        builder.For(TrainingLength.Steps(steps)).WithObserver(clock).KeepModel().Train(progress).Dispose();
        return clock.Elapsed;
    }

    private static double Median(IReadOnlyList<double> values) => values.Order().ElementAt(values.Count / 2);

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    /// <summary>From the begin of a run to its first step, and from step to step.</summary>
    private sealed class Clock : ITrainingObserver
    {
        private readonly Stopwatch _sinceBegin = Stopwatch.StartNew();
        private double _last;

        public List<double> Steps { get; } = [];

        /// <summary>How long the run stood still for each save but that of the end. That of the last step is waited for.</summary>
        public List<double> Pauses { get; } = [];

        public double Start { get; private set; }

        /// <summary>From the first step's begin to the last one's end.</summary>
        public double Elapsed => _last - Start;

        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStart(TrainingStart start) => _last = Start = _sinceBegin.Elapsed.TotalSeconds;

        public void OnStep(TrainingProgress progress)
        {
            var now = _sinceBegin.Elapsed.TotalSeconds;
            Steps.Add(now - _last);
            _last = now;
        }

        public void OnSave(SaveMoment moment, IReadOnlyList<string> files)
        {
            _last = _sinceBegin.Elapsed.TotalSeconds;
            if (moment.Reason == SaveReason.Step) Pauses.Add(moment.Pause.TotalSeconds);
        }
    }

    /// <summary>Times a saver of states.</summary>
    private sealed class TimedStates(StateSaver states) : ISaver
    {
        /// <summary>How long writing took, in the run or beside it.</summary>
        public List<double> Writes { get; } = [];

        public IEnumerable<OptionProblem> Validate() => states.Validate();

        public IReadOnlyList<string> Save(SaveMoment moment) => Time(Writes, () => states.Save(moment));

        public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies) =>
            states.Prepare(moment, copies) is { } write ? () => Time(Writes, write) : null;

        private static T Time<T>(List<double> times, Func<T> act)
        {
            var clock = Stopwatch.StartNew();
            var result = act();
            times.Add(clock.Elapsed.TotalSeconds);
            return result;
        }
    }

    private sealed class Timed(IProgress<TrainingProgress> progress) : IProgress<TrainingProgress>
    {
        private readonly Stopwatch _clock = new();

        public TimeSpan Spent => _clock.Elapsed;

        public void Report(TrainingProgress value)
        {
            _clock.Start();
            progress.Report(value);
            _clock.Stop();
        }
    }
}
