using System.Diagnostics;
using System.Diagnostics.Metrics;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Every run tells .NET's own metrics and traces what it does, so that OpenTelemetry or <c>dotnet-counters</c> sees it: add the meter
/// and the source called <see cref="Name"/>. It costs nothing while nobody listens. The meter of a host comes from
/// <see cref="TrainingPlan.Meters"/>.
/// </summary>
public static class TrainingTelemetry
{
    /// <summary>The name of the meter and of the activity source: "StableTune".</summary>
    public const string Name = "StableTune";

    private static readonly Instruments s_instruments = new(new Meter(Name));
    private static readonly ActivitySource s_source = new(Name);

    /// <summary>The observer that tells them; every run has one.</summary>
    /// <param name="meters">Gives the meter; null for the one of the process.</param>
    internal static ITrainingObserver Observer(IMeterFactory? meters) =>
        new Telling(meters is null ? s_instruments : new Instruments(meters.Create(Name)));

    /// <summary>What is measured. A meter gives the same instrument again to whoever asks for it by the same name.</summary>
    private sealed class Instruments(Meter meter)
    {
        public readonly Counter<long> Steps = meter.CreateCounter<long>("stabletune.training.steps", "{step}", "Optimizer steps done");
        public readonly Histogram<double> Duration = meter.CreateHistogram<double>("stabletune.training.step.duration", "s",
            "Time of a step, waiting for data included");
        public readonly Gauge<double> Loss = meter.CreateGauge<double>("stabletune.training.loss", null, "Loss of the last step");
        public readonly Gauge<double> Average = meter.CreateGauge<double>("stabletune.training.loss.average", null,
            "Mean loss over the last epoch's worth of steps");
        public readonly Gauge<double> Validation = meter.CreateGauge<double>("stabletune.training.loss.validation", null,
            "Loss on images that are held out");
        public readonly Gauge<double> Norm = meter.CreateGauge<double>("stabletune.training.gradient_norm", null,
            "Norm of all gradients before clipping");
        public readonly Gauge<double> Rate = meter.CreateGauge<double>("stabletune.training.learning_rate", null,
            "Learning rate of a group");
        public readonly Histogram<double> Pause = meter.CreateHistogram<double>("stabletune.training.save.pause", "s",
            "Time that training stood still for a save");
        public readonly Gauge<long> Memory = meter.CreateGauge<long>("stabletune.training.memory", "By", "Resident memory of the process");
    }

    private sealed class Telling(Instruments instruments) : ITrainingObserver
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
            instruments.Steps.Add(1);
            if (_elapsed is { } before) instruments.Duration.Record((progress.Elapsed - before).TotalSeconds);
            _elapsed = progress.Elapsed;
            Record(instruments.Loss, progress.Loss);
            Record(instruments.Average, progress.AverageLoss);
            Record(instruments.Norm, progress.GradientNorm);
            foreach (var (group, rate) in progress.LearningRates)
                instruments.Rate.Record(rate, new KeyValuePair<string, object?>("group", group));
            instruments.Memory.Record(progress.ResidentBytes);
        }

        public void OnEpoch(TrainingProgress progress) =>
            Event("epoch", ("epoch", progress.Epoch), ("average_loss", progress.AverageLoss));

        public void OnSave(SaveMoment moment, IReadOnlyList<string> files)
        {
            instruments.Pause.Record(moment.Pause.TotalSeconds);
            Event("save", ("step", moment.Step), ("files", files.Count));
        }

        public void OnValidation(TrainingValidation validation)
        {
            Record(instruments.Validation, validation.Loss);
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
