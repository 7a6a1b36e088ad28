using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>Options of a learning-rate schedule; creates it once the length of the run is known.</summary>
public abstract record LrScheduleOptions : OptionsBase
{
    /// <summary>The name in metadata (<c>ss_lr_scheduler</c>): that of sd-scripts where it has the schedule, else the type of the
    /// options.</summary>
    public virtual string Name => GetType().FullName ?? GetType().Name;

    /// <summary>Steps of warm-up in a run of this length; 0 for a schedule without.</summary>
    public virtual int WarmupSteps(int totalSteps) => 0;

    /// <summary>What is wrong with it in this plan, besides what <see cref="IValidated.Validate"/> finds. Default nothing.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan) => [];

    /// <summary>Creates the schedule.</summary>
    /// <param name="totalSteps">Optimizer steps of the run.</param>
    public abstract ILrSchedule Create(int totalSteps);
}
