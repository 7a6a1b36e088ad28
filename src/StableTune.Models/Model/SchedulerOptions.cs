namespace StableTune;

/// <summary>A model's noise schedule and prediction type: <c>scheduler/scheduler_config.json</c> of a model folder as a record.</summary>
/// <remarks>The numbers of the sampler that the model was published with stand here too; training uses betas and prediction type
/// only.</remarks>
public sealed record SchedulerOptions : OptionsBase
{
    private static readonly string[] Schedules = ["linear", "scaled_linear", "squaredcos_cap_v2"];

    /// <summary>The sampler that the model was published with, such as "PNDMScheduler"; empty when unknown.</summary>
    public string ClassName { get; init; } = "";

    /// <summary>Diffusion times T, 1 to 100000.</summary>
    public int TrainTimesteps { get; init; } = 1000;

    /// <summary>The first beta, between 0 and 1.</summary>
    public double BetaStart { get; init; } = 0.00085;

    /// <summary>The last beta, from the first up to below 1.</summary>
    public double BetaEnd { get; init; } = 0.012;

    /// <summary>How betas run between the two: "linear", "scaled_linear" (linear in their roots) or "squaredcos_cap_v2".</summary>
    public string BetaSchedule { get; init; } = "scaled_linear";

    /// <summary>The betas themselves, [T], instead of a schedule; null for the schedule.</summary>
    public IReadOnlyList<double>? TrainedBetas { get; init; }

    /// <summary>What the UNet predicts; never <see cref="ModelPrediction.Auto"/>.</summary>
    public ModelPrediction Prediction { get; init; } = ModelPrediction.Epsilon;

    /// <summary>Whether the model's sampler clamps predicted originals to -1..1. False for latents.</summary>
    public bool ClipSample { get; init; }

    /// <summary>Whether the step to the end of the process uses ᾱ = 1 instead of that of timestep 0.</summary>
    public bool SetAlphaToOne { get; init; }

    /// <summary>Added to the timesteps of samplers with leading spacing; 1 in published models.</summary>
    public int StepsOffset { get; init; } = 1;

    /// <summary>How samplers space their timesteps: "leading", "trailing" or "linspace".</summary>
    public string TimestepSpacing { get; init; } = "leading";

    /// <summary>Whether the model's sampler spaces its noise levels as Karras et al. recommend.</summary>
    public bool UseKarrasSigmas { get; init; }

    /// <summary>What a DPM solver integrates: "dpmsolver++", "dpmsolver" or "sde-dpmsolver++".</summary>
    public string AlgorithmType { get; init; } = "dpmsolver++";

    /// <summary>Whether the betas are rescaled so that the last timestep is pure noise (Lin et al. 2023, arXiv:2305.08891).</summary>
    public bool RescaleBetasZeroSnr { get; init; }

    /// <summary>Stable Diffusion 1.x: scaled linear betas, epsilon prediction.</summary>
    public static SchedulerOptions Sd15 { get; } = new() { ClassName = "PNDMScheduler" };

    /// <summary>Stable Diffusion 2.x at 768 pixels: as 1.x with v prediction.</summary>
    public static SchedulerOptions Sd21 { get; } = new() { ClassName = "DDIMScheduler", Prediction = ModelPrediction.V };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (TrainTimesteps is < 1 or > 100_000) yield return Problem(
            TrainTimesteps, "the number of timesteps must be within 1 and 100000", "1000 in all published models");
        if (!(BetaStart > 0 && BetaStart < 1))
            yield return Problem(BetaStart, "betas lie between 0 and 1", "0.00085 in all published models");
        if (!(BetaEnd >= BetaStart && BetaEnd < 1)) yield return Problem(
            BetaEnd, "the last beta must lie between the first and 1", "0.012 in all published models");
        if (!Schedules.Contains(BetaSchedule)) yield return Problem(
            BetaSchedule, "the schedule is not known", "use one of: " + string.Join(", ", Schedules));
        if (Prediction == ModelPrediction.Auto || !Enum.IsDefined(Prediction)) yield return Problem(
            Prediction, "this is nothing that a model predicts", "use ModelPrediction.Epsilon, V or Sample");
        if (TrainedBetas is { } betas && (betas.Count != TrainTimesteps || betas.Any(beta => !(beta > 0 && beta < 1))))
            yield return Problem(
                $"a list of {betas.Count}", $"there must be {TrainTimesteps} betas between 0 and 1", "use null for the schedule",
                nameof(TrainedBetas));
    }
}
