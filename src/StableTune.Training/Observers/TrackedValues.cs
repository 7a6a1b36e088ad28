namespace StableTune.Training;

/// <summary>The numbers of a step under the names that sd-scripts logs them by.</summary>
internal static class TrackedValues
{
    /// <summary>All finite numbers of a step.</summary>
    public static IEnumerable<KeyValuePair<string, double>> OfStep(TrainingProgress progress) => Finite(
    [
        new("loss/current", progress.Loss), new("loss/average", progress.AverageLoss),
        .. progress.LearningRates.Select(rate => KeyValuePair.Create("lr/" + rate.Key, rate.Value)),
        new("norm/gradients", progress.GradientNorm),
        .. progress.Metrics,
        new("speed/steps_per_second", progress.StepsPerSecond), new("speed/data_wait_seconds", progress.DataWait.TotalSeconds),
        new("memory/resident_gib", progress.ResidentBytes / (double)(1 << 30)),
    ]);

    /// <summary>The numbers of an epoch.</summary>
    public static IEnumerable<KeyValuePair<string, double>> OfEpoch(TrainingProgress progress) =>
        Finite([new("loss/epoch_average", progress.AverageLoss)]);

    /// <summary>The numbers of a validation.</summary>
    public static IEnumerable<KeyValuePair<string, double>> OfValidation(TrainingValidation validation) =>
        Finite([new(validation.LossName, validation.Loss), new(validation.DivergenceName, validation.Divergence)]);

    private static IEnumerable<KeyValuePair<string, double>> Finite(IEnumerable<KeyValuePair<string, double>> values) =>
        values.Where(value => double.IsFinite(value.Value)).DistinctBy(value => value.Key, StringComparer.Ordinal);
}
