namespace StableTune.Schedules;

/// <summary>Learning-rate schedules by the names that the references' options use (<c>lr_scheduler</c> of sd-scripts), and torch's classes
/// by theirs (<c>lr_scheduler_type</c>).</summary>
public static class ScheduleCatalog
{
    /// <summary>
    /// The schedules that come with StableTune, each with its defaults; those without defaults say in <see cref="IValidated.Validate"/>
    /// what they need. A host adds its own with <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<LrScheduleOptions> Default { get; } = new Catalog<LrScheduleOptions>("learning-rate schedule")
        .With("adafactor", () => new AdaFactorScheduleOptions())
        .With("constant", () => new ConstantScheduleOptions())
        .With("constant_with_warmup", () => new ConstantWithWarmupScheduleOptions())
        .With("linear", () => new LinearScheduleOptions())
        .With("cosine", () => new CosineScheduleOptions())
        .With("cosine_with_restarts", () => new CosineWithRestartsScheduleOptions())
        .With("cosine_with_min_lr", () => new CosineWithMinLrScheduleOptions())
        .With("polynomial", () => new PolynomialScheduleOptions())
        .With("inverse_sqrt", () => new InverseSqrtScheduleOptions())
        .With("warmup_stable_decay", () => new WarmupStableDecayScheduleOptions())
        .With("piecewise_constant", () => new PiecewiseConstantScheduleOptions())
        .With("rex", () => new RexScheduleOptions())
        .With("plateau", () => new PlateauScheduleOptions())
        .With("points", () => new PointsScheduleOptions())
        .With("StepLR", () => new StepLrScheduleOptions())
        .With("MultiStepLR", () => new MultiStepLrScheduleOptions())
        .With("ExponentialLR", () => new ExponentialLrScheduleOptions())
        .With("CosineAnnealingLR", () => new CosineAnnealingLrScheduleOptions())
        .With("CosineAnnealingWarmRestarts", () => new CosineWarmRestartsScheduleOptions());
}
