namespace StableTune.Schedules;

/// <summary>A learning-rate schedule: a factor on each group's initial rate.</summary>
public interface ILrSchedule
{
    /// <summary>The factor for a step.</summary>
    /// <param name="step">The optimizer step, counted from 0: the first step uses <c>Factor(0)</c>.</param>
    double Factor(int step);
}
