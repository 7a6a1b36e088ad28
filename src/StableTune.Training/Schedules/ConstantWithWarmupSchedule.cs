using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>The learning rate rises linearly from 0 and then stays (diffusers and sd-scripts: <c>constant_with_warmup</c>).</summary>
public sealed record ConstantWithWarmupScheduleOptions : LrScheduleOptions
{
    /// <summary>How long it rises. Default no steps, which is a constant rate.</summary>
    public Warmup Warmup { get; init; }

    /// <inheritdoc/>
    public override string Name => "constant_with_warmup";

    /// <inheritdoc/>
    public override int WarmupSteps(int totalSteps) => Warmup.In(totalSteps);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Warmup.IsValid)
            yield return Problem(Warmup, "the warm-up must be 0 or more steps, or a ratio in [0, 1)",
                "use Warmup.Steps(100) or Warmup.Ratio(0.05)");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps) => new ConstantWithWarmupSchedule(WarmupSteps(totalSteps));
}

/// <summary>f(step) = min(1, step / warmup).</summary>
internal sealed class ConstantWithWarmupSchedule(int warmupSteps) : ILrSchedule
{
    public double Factor(int step) => step < warmupSteps ? step / (double)Math.Max(1, warmupSteps) : 1;
}
