using StableTune.Data;
using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>What a schedule that waits for a plateau looks at.</summary>
public enum PlateauMetric
{
    /// <summary>The loss on images that are held out, each time it is measured.</summary>
    ValidationLoss,

    /// <summary>The average training loss, every <see cref="PlateauScheduleOptions.EveryNSteps"/> steps.</summary>
    AverageLoss,
}

/// <summary>
/// After the warm-up the learning rate stays until a loss has not improved for a while; then it is multiplied by a factor, and so on (as
/// torch's <c>ReduceLROnPlateau</c>).
/// </summary>
public sealed record PlateauScheduleOptions : WarmedScheduleOptions
{
    /// <summary>What is looked at. Default <see cref="PlateauMetric.ValidationLoss"/>, which needs images that are held out.</summary>
    public PlateauMetric Metric { get; init; }

    /// <summary>Every how many steps <see cref="PlateauMetric.AverageLoss"/> is looked at; a loss on held-out images is looked at when it
    /// is measured. Default 100.</summary>
    public int EveryNSteps { get; init; } = 100;

    /// <summary>The factor by which the rate falls, above 0 and below 1. Default 0.1.</summary>
    public double Factor { get; init; } = 0.1;

    /// <summary>Looks without improvement that are waited for; the next one lowers the rate. Default 10.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>What counts as an improvement: a loss below the best so far by more than this part of it. Default 1e-4.</summary>
    public double Threshold { get; init; } = 1e-4;

    /// <summary>Looks after a fall that do not count. Default 0.</summary>
    public int Cooldown { get; init; }

    /// <summary>The least factor that is reached, 0 to 1. Default 0.</summary>
    public double MinRatio { get; init; }

    /// <inheritdoc/>
    public override string Name => "plateau";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!Enum.IsDefined(Metric)) yield return Problem(Metric, "there is no such loss", "use PlateauMetric.ValidationLoss");
        if (EveryNSteps < 1) yield return Problem(EveryNSteps, "it is looked at every 1 or more steps", "100 is customary");
        if (!(Factor is > 0 and < 1)) yield return Problem(Factor, "the factor lies between 0 and 1", "0.1 is customary");
        if (Patience < 0) yield return Problem(Patience, "the patience must not be negative", "10 is customary");
        if (!(Threshold is >= 0 and < 1)) yield return Problem(Threshold, "the threshold is a part, 0 to below 1", "1e-4 is customary");
        if (Cooldown < 0) yield return Problem(Cooldown, "the rest after a fall must not be negative", "0 has none");
        if (!(MinRatio is >= 0 and <= 1)) yield return Problem(MinRatio, "the least factor lies in 0 to 1", "0 sets no limit");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset? dataset)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (Metric == PlateauMetric.ValidationLoss
            && (dataset is { Validation: null } || !plan.Method.Needs.HasFlag(MethodNeeds.Dataset)))
            yield return Problem(Metric, "no images are held out to measure the loss on",
                "set DatasetOptions.ValidationSplit, or use PlateauMetric.AverageLoss");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) => new PlateauSchedule(this);
}

/// <summary>Counts looks at a loss that did not improve.</summary>
internal sealed class PlateauSchedule(PlateauScheduleOptions options) : ILrSchedule
{
    private double _factor = 1, _best = double.PositiveInfinity;
    private int _worse, _resting, _validations;

    public bool NeedsEveryLoss => true;

    public double Factor(int step) => _factor;

    public void Observe(in ScheduleMetrics metrics)
    {
        if (options.Metric == PlateauMetric.AverageLoss)
        {
            if (metrics.Step % options.EveryNSteps == 0) Look(metrics.AverageLoss);
        }
        else if (metrics.Validations > _validations)
        {
            _validations = metrics.Validations;
            Look(metrics.ValidationLoss);
        }
    }

    public void Save(StateWriter writer)
    {
        writer.Number("factor", _factor);
        writer.Number("best", _best);
        writer.Number("worse", (long)_worse);
        writer.Number("resting", (long)_resting);
        writer.Number("validations", (long)_validations);
    }

    public void Load(StateReader reader)
    {
        (_factor, _best) = (reader.Double("factor"), reader.Double("best"));
        (_worse, _resting) = ((int)reader.Long("worse"), (int)reader.Long("resting"));
        _validations = (int)reader.Long("validations");
    }

    private void Look(double loss)
    {
        if (loss < _best * (1 - options.Threshold)) (_best, _worse) = (loss, 0);
        else _worse++;
        if (_resting > 0) (_resting, _worse) = (_resting - 1, 0);
        if (_worse <= options.Patience) return;
        _factor = Math.Max(_factor * options.Factor, Math.Min(_factor, options.MinRatio));
        (_resting, _worse) = (options.Cooldown, 0);
    }
}
