using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>How a batch becomes a loss.</summary>
public interface ITrainingMethod : IDisposable
{
    /// <summary>The mean loss of a batch, with a path for gradients to what is trained.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's. Of a method without data set an empty one.</param>
    /// <returns>A scalar, [], in the open dispose scope.</returns>
    Tensor Loss(Batch batch);

    /// <summary>
    /// What the last <see cref="Loss"/> is the mean of: the loss of each sample at its timestep. Read before <see cref="EndBatch"/>, within
    /// the dispose scope in which <see cref="Loss"/> was called. Null, the default, for a method that does not tell.
    /// </summary>
    SampleLosses? Samples => null;

    /// <summary>Called when the gradients of the batch are complete, or could not be computed: what <see cref="Loss"/> has set for both
    /// passes is taken back.</summary>
    void EndBatch() { }

    /// <summary>
    /// The losses of a batch that is held out, without gradients: always at the same places, so that they can be compared from one time
    /// to the next. Default: <see cref="Loss"/> alone.
    /// </summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    IReadOnlyList<double> Validate(Batch batch)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return [Loss(batch).to(ScalarType.Float64).item<double>()];
    }
}

/// <summary>The losses of a batch's samples, one by one.</summary>
/// <param name="Losses">The loss of each sample, weighted as it counts, without gradient, [B].</param>
/// <param name="Timesteps">The timestep of each, [B], int64.</param>
/// <param name="TimestepCount">The timesteps that there are: 1000 for Stable Diffusion.</param>
public sealed record SampleLosses(Tensor Losses, Tensor Timesteps, int TimestepCount);

/// <summary>What a method works with.</summary>
[Flags]
public enum MethodNeeds
{
    /// <summary>Nothing of the run's.</summary>
    None = 0,

    /// <summary>Images.</summary>
    Dataset = 1,

    /// <summary>The network that predicts.</summary>
    UNet = 2,

    /// <summary>The VAE, in every step; latents that are cached do without.</summary>
    Vae = 4,

    /// <summary>The text encoder, in every step; outputs that are cached do without.</summary>
    TextEncoder = 8,

    /// <summary>The pictures themselves, in every step: their latents are then not cached.</summary>
    Pixels = 16,

    /// <summary>Images and the network; VAE and text encoder as caches leave something to do for them.</summary>
    Denoising = Dataset | UNet,
}

/// <summary>Options of a training method; creates it for a run. A new method is a record derived from this one and an
/// <see cref="ITrainingMethod"/>.</summary>
public abstract record TrainingMethodOptions : OptionsBase
{
    /// <summary>What the method works with. Default: images and the UNet.</summary>
    public virtual MethodNeeds Needs => MethodNeeds.Denoising;

    /// <summary>What is wrong with it in this plan, whatever the model.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan) => [];

    /// <summary>What is wrong with it for this model, told by <c>Build()</c> where the model is on this disk. Reads no weights.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="model">What the model's configuration says.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan, StableTune.Checkpoints.ModelConfiguration model) => [];

    /// <summary>Creates the method.</summary>
    /// <param name="setup">The model, what is trained, and the stages of the run.</param>
    public abstract ITrainingMethod Create(MethodSetup setup);
}

/// <summary>What a method is made of.</summary>
public sealed record MethodSetup
{
    /// <summary>The model; parts that are not needed may not be there. Stays the run's.</summary>
    public required StableDiffusionModel Model { get; init; }

    /// <summary>The options of the run.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>What is trained or applied, attached.</summary>
    public required IReadOnlyList<ITrainable> Trainables { get; init; }

    /// <summary>The stages that trainables have added.</summary>
    public required StageList Stages { get; init; }

    /// <summary>The schedule whose signal-to-noise ratios weigh the loss, where it is not the model's: that of before the run corrected it
    /// to zero terminal SNR, as in sd-scripts.</summary>
    internal NoiseSchedule? WeightingSchedule =>
        Plan.ZeroTerminalSnr ? NoiseSchedule.From(Model.Scheduler with { RescaleBetasZeroSnr = false }) : null;

    /// <summary>The random streams: the run's own, or those of a validation.</summary>
    public required TrainingRandom Random { get; init; }
}
