using System.Diagnostics;
using System.Diagnostics.Metrics;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Every run tells .NET's own metrics and traces what it does, so that OpenTelemetry or <c>dotnet-counters</c> sees it: add the meter and
/// the
/// source called <see cref="Name"/>. It costs nothing while nobody listens.
/// </summary>
public static class TrainingTelemetry
{
    /// <summary>The name of the meter and of the activity source: "StableTune".</summary>
    public const string Name = "StableTune";

    private static readonly Meter s_meter = new(Name);
    private static readonly ActivitySource s_source = new(Name);
    private static readonly Counter<long> s_steps = s_meter.CreateCounter<long>("stabletune.training.steps", "{step}",
        "Optimizer steps done");
    private static readonly Histogram<double> s_duration = s_meter.CreateHistogram<double>("stabletune.training.step.duration", "s",
        "Time of a step, waiting for data included");
    private static readonly Gauge<double> s_loss = s_meter.CreateGauge<double>("stabletune.training.loss", null, "Loss of the last step");
    private static readonly Gauge<double> s_average = s_meter.CreateGauge<double>("stabletune.training.loss.average", null,
        "Mean loss over the last epoch's worth of steps");
    private static readonly Gauge<double> s_validation = s_meter.CreateGauge<double>("stabletune.training.loss.validation", null,
        "Loss on images that are held out");
    private static readonly Gauge<double> s_norm = s_meter.CreateGauge<double>("stabletune.training.gradient_norm", null,
        "Norm of all gradients before clipping");
    private static readonly Gauge<double> s_rate = s_meter.CreateGauge<double>("stabletune.training.learning_rate", null,
        "Learning rate of a group");
    private static readonly Gauge<long> s_memory = s_meter.CreateGauge<long>("stabletune.training.memory", "By",
        "Resident memory of the process");

    /// <summary>The observer that tells them; every run has one.</summary>
    internal static ITrainingObserver Observer() => new Telling();

    private sealed class Telling : ITrainingObserver
    {
        private Activity? _run;
        private TimeSpan? _elapsed = TimeSpan.Zero;

        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStart(TrainingStart start)
        {
            // The clock of a run that goes on has the time of before.
            if (start.ResumedAt is not null) _elapsed = null;
            _run = s_source.StartActivity("train");
            _run?.SetTag("stabletune.steps", start.TotalSteps).SetTag("stabletune.epochs", start.TotalEpochs)
                .SetTag("stabletune.parameters", start.TrainedParameters).SetTag("stabletune.seed", start.Plan.Seed);
            foreach (var warning in start.Warnings) Event("warning", ("text", warning));
        }

        public void OnStep(TrainingProgress progress)
        {
            s_steps.Add(1);
            if (_elapsed is { } before) s_duration.Record((progress.Elapsed - before).TotalSeconds);
            _elapsed = progress.Elapsed;
            Record(s_loss, progress.Loss);
            Record(s_average, progress.AverageLoss);
            Record(s_norm, progress.GradientNorm);
            foreach (var (group, rate) in progress.LearningRates) s_rate.Record(rate, new KeyValuePair<string, object?>("group", group));
            s_memory.Record(progress.ResidentBytes);
        }

        public void OnEpoch(TrainingProgress progress) =>
            Event("epoch", ("epoch", progress.Epoch), ("average_loss", progress.AverageLoss));

        public void OnSave(SaveMoment moment, IReadOnlyList<string> files) => Event("save", ("step", moment.Step), ("files", files.Count));

        public void OnValidation(TrainingValidation validation)
        {
            Record(s_validation, validation.Loss);
            Event("validation", ("step", validation.Step), ("loss", validation.Loss));
        }

        public void OnSample(int step, IReadOnlyList<string> files) => Event("sample", ("step", step), ("files", files.Count));

        public void OnEnd(TrainingEnd end)
        {
            _run?.SetTag("stabletune.last_step", end.Step);
            if (end.Fault is { } fault)
                _run?.SetStatus(fault is OperationCanceledException ? ActivityStatusCode.Unset : ActivityStatusCode.Error, fault.Message);
            _run?.Dispose();
            _run = null;
        }

        private void Event(string name, params ReadOnlySpan<(string Key, object Value)> tags)
        {
            if (_run is null) return;
            var all = new ActivityTagsCollection();
            foreach (var (key, value) in tags) all[key] = value;
            _run.AddEvent(new ActivityEvent(name, tags: all));
        }

        private static void Record(Gauge<double> gauge, double value)
        {
            if (double.IsFinite(value)) gauge.Record(value);
        }
    }
}
