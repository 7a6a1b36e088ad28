namespace StableTune.Schedules;

/// <summary>Learning-rate schedules by the names that the references' options use (<c>lr_scheduler</c> of sd-scripts).</summary>
public static class ScheduleCatalog
{
    /// <summary>
    /// The schedules that come with StableTune, each with its defaults. A host adds its own with <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<LrScheduleOptions> Default { get; } = new Catalog<LrScheduleOptions>("learning-rate schedule")
        .With("adafactor", () => new AdaFactorScheduleOptions())
        .With("constant", () => new ConstantScheduleOptions())
        .With("constant_with_warmup", () => new ConstantWithWarmupScheduleOptions());
}
