using StableTune.Data;
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

    /// <summary>What is wrong with it in this plan.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="dataset">The images; null for a run without.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset? dataset) => [];

    /// <summary>Creates the schedule.</summary>
    /// <param name="totalSteps">Optimizer steps of the run.</param>
    public abstract ILrSchedule Create(int totalSteps);

    /// <summary>Creates the schedule of a run. Default: by the number of steps alone.</summary>
    /// <param name="setup">What is known of the run.</param>
    public virtual ILrSchedule Create(ScheduleSetup setup) => Create(setup.TotalSteps);
}

/// <summary>What is known of a run when its schedule is created.</summary>
/// <param name="TotalSteps">Optimizer steps of the run.</param>
public readonly record struct ScheduleSetup(int TotalSteps)
{
    /// <summary>The learning rate that parts without a rate of their own have. Default 1e-4, as a plan's.</summary>
    public double LearningRate { get; init; } = 1e-4;
}
