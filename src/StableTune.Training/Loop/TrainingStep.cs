using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>What a training step is made of. A host that drives its own loop puts its own objects here.</summary>
public sealed record TrainingStepParts
{
    /// <summary>Gives a batch's latents, scaled: [B, 4, H/8, W/8], float32.</summary>
    public required ILatentStage Latents { get; init; }

    /// <summary>Gives a batch's text conditions: [B, L, C], for SDXL also pooled ones.</summary>
    public required IContextStage Context { get; init; }

    /// <summary>Gives an inpainting model's mask and masked picture; null for other models.</summary>
    public IInpaintingStage? Inpainting { get; init; }

    /// <summary>Predicts from noisy latents [B, 4, h, w], timesteps [B] and conditions: [B, 4, h, w].</summary>
    public required UNet2DConditionModel UNet { get; init; }

    /// <summary>ᾱ and what follows from it.</summary>
    public required NoiseSchedule Schedule { get; init; }

    /// <summary>What the model predicts.</summary>
    public required PredictionType Prediction { get; init; }

    /// <summary>Where noise comes from.</summary>
    public required INoiseSource Noise { get; init; }

    /// <summary>Where timesteps come from.</summary>
    public required ITimestepSource Timesteps { get; init; }

    /// <summary>Turns prediction and target into one number.</summary>
    public required DiffusionLoss Loss { get; init; }

    /// <summary>What is trained; told before each batch. Default nothing, for a loop that tells it by itself.</summary>
    public IReadOnlyList<ITrainingTarget> Targets { get; init; } = [];

    /// <summary>The random streams of the run.</summary>
    public required TrainingRandom Random { get; init; }
}

/// <summary>One batch forward and backward: files have become a batch, a batch becomes gradients.</summary>
public sealed class TrainingStep(TrainingStepParts parts)
{
    /// <summary>
    /// Adds the gradients of the batch's mean loss to the trained parameters. The order of the stages is that of sd-scripts.
    /// </summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    /// <param name="accumulation">Batches per optimizer step: gradients are those of loss / accumulation.</param>
    /// <returns>The mean loss of the batch, not divided.</returns>
    /// <exception cref="TrainingDivergedException">The loss is not finite; no gradients were added.</exception>
    public double Run(Batch batch, int accumulation)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Multiplied(Multiplier(batch), () => Learn(batch, accumulation), afterwards: 1);
    }

    /// <summary>A batch's images are all of one data set, since its size and batch size are.</summary>
    private static double Multiplier(Batch batch) => batch.Items.Count == 0 ? 1 : batch.Items[0].Dataset.NetworkMultiplier;

    /// <summary>Works with what is trained acting this strongly.</summary>
    private T Multiplied<T>(double multiplier, Func<T> work, double afterwards)
    {
        if (multiplier == afterwards) return work();
        foreach (var trained in parts.Targets) trained.SetMultiplier(multiplier);
        try
        {
            return work();
        }
        finally
        {
            foreach (var trained in parts.Targets) trained.SetMultiplier(afterwards);
        }
    }

    private double Learn(Batch batch, int accumulation)
    {
        using var scope = NewDisposeScope();
        foreach (var trained in parts.Targets) trained.BeginBatch(parts.Random.Dropout);
        var loss = Forward(batch);                                                                 // []
        var value = loss.to(ScalarType.Float64).item<double>();
        if (!double.IsFinite(value)) throw new TrainingDivergedException("loss", value, batch.Items.Select(i => i.Path));
        // Where module dropout left every adapter out, nothing is there that a gradient could reach.
        if (loss.requires_grad || parts.Targets.Count == 0) (accumulation == 1 ? loss : loss / accumulation).backward();
        return value;
    }

    /// <summary>The batch's mean loss without gradients: nothing is learnt, and dropouts are as the targets have been set.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    public double Measure(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return Multiplied(Multiplier(batch), () => Forward(batch).to(ScalarType.Float64).item<double>(), afterwards: 1);
    }

    private Tensor Forward(Batch batch)
    {
        var latents = parts.Latents.Latents(batch);                                                // [B, 4, H/8, W/8], scaled
        var conditions = Conditions(batch, latents);                                               // [B, L, C], and what else the model takes
        var noise = parts.Noise.Draw(latents, parts.Random.Noise);                                 // as latents
        var timesteps = parts.Timesteps.Draw(batch.Count, parts.Random.Timesteps).to(latents.device);  // [B], int64
        var noisyLatents = parts.Schedule.AddNoise(latents, noise, timesteps);                     // as latents
        var predicted = parts.UNet.call(noisyLatents, timesteps, conditions);                      // as latents
        var target = parts.Prediction.Target(parts.Schedule, latents, noise, timesteps);           // as latents
        if (Preserved(batch) is { } preserved)
            target = where(preserved.to(latents.device), Untrained(batch, noisyLatents, timesteps, conditions).to(target.dtype), target);
        return Loss(batch, predicted, target, timesteps);
    }

    /// <summary>The samples that shall come out as without what is trained, [B, 1, 1, 1], bool; null for none.</summary>
    private Tensor? Preserved(Batch batch)
    {
        if (parts.Targets.Count == 0 || !batch.Items.Any(IsPreserved)) return null;
        return tensor(batch.Items.Select(item => IsPreserved(item) ? 1L : 0L).ToArray()).to(ScalarType.Bool).view(-1, 1, 1, 1);
    }

    private static bool IsPreserved(TrainingSample item) => item.Subset.Attributes.GetValueOrDefault(SubsetOptions.PreserveOutput) is true;

    /// <summary>What the model predicts without what is trained. Text conditions stay those of the batch, as in sd-scripts.</summary>
    private Tensor Untrained(Batch batch, Tensor noisyLatents, Tensor timesteps, UNetConditions conditions)
    {
        using var frozen = no_grad();
        return Multiplied(0, () => parts.UNet.call(noisyLatents, timesteps, conditions).detach(), afterwards: Multiplier(batch));
    }

    private UNetConditions Conditions(Batch batch, Tensor latents)
    {
        var text = parts.Context.Context(batch);
        return new UNetConditions(text.Context)
        {
            Added = parts.UNet.Options.TakesAddedConditions ? new AddedConditions(Pooled(text), TimeIds(batch, latents)) : null,
            Inpainting = parts.Inpainting?.Input(batch),
        };
    }

    private static Tensor Pooled(TextConditions text) => text.Pooled
        ?? throw new InvalidOperationException("The context stage gives no pooled text, which this model (SDXL) needs: give TextConditions.Pooled.");

    /// <summary>What SDXL is told of sizes, [B, 6]. A batch that says nothing of them holds whole pictures of its own size.</summary>
    private static Tensor TimeIds(Batch batch, Tensor latents)
    {
        if (batch.Sizes.Count == batch.Count)
            return SizeConditions.TimeIds(batch.Sizes.Select(size => new SizeConditions(
                size.Original.Height, size.Original.Width, size.CropTop, size.CropLeft, size.Target.Height, size.Target.Width)), latents.device);
        var (height, width) = ((int)latents.shape[2] * 8, (int)latents.shape[3] * 8);
        return SizeConditions.TimeIds(Enumerable.Repeat(new SizeConditions(height, width, 0, 0, height, width), batch.Count), latents.device);
    }

    private Tensor Loss(Batch batch, Tensor predicted, Tensor target, Tensor timesteps) => parts.Loss.Compute(new LossInputs
    {
        Predicted = predicted, Target = target, Timesteps = timesteps, Schedule = parts.Schedule, Prediction = parts.Prediction,
        SampleWeights = batch.LossWeights.to(predicted.device), Mask = batch.Masks?.to(predicted.device),
    }).Mean;
}
