using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>One batch forward and backward: files have become a batch, a batch becomes gradients.</summary>
public sealed class TrainingStep(TrainingStepParts parts)
{
    private readonly TargetStrength _strength = new(parts.Targets);

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
        using var scope = NewDisposeScope();
        using var strength = _strength.Set(Multiplier(batch));
        foreach (var trained in parts.Targets) trained.BeginBatch(parts.Random.Dropout);
        var loss = Loss(batch, Encode(batch), parts.Timesteps);                                        // []
        var value = loss.to(ScalarType.Float64).item<double>();
        if (!double.IsFinite(value)) throw new TrainingDivergedException("loss", value, batch.Items.Select(i => i.Path));
        // Where module dropout left every adapter out, nothing is there that a gradient could reach.
        if (loss.requires_grad || parts.Targets.Count == 0) Gradients.Backward(accumulation == 1 ? loss : loss / accumulation);
        return value;
    }

    /// <summary>The batch's mean loss without gradients: nothing is learnt, and dropouts are as the targets have been set.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    public double Measure(Batch batch) => Measure(batch, [parts.Timesteps])[0];

    /// <summary>The batch's mean loss without gradients at each of several timesteps: pictures and captions are encoded once for all of them.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    /// <param name="timesteps">What is used in place of <see cref="TrainingStepParts.Timesteps"/>, one after the other; each has noise of its own.</param>
    /// <returns>One loss for each.</returns>
    public IReadOnlyList<double> Measure(Batch batch, IEnumerable<ITimestepSource> timesteps)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(timesteps);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var strength = _strength.Set(Multiplier(batch));
        var encoded = Encode(batch);
        var losses = new List<double>();
        foreach (var source in timesteps)
        {
            using var inPass = NewDisposeScope();
            losses.Add(Loss(batch, encoded, source).to(ScalarType.Float64).item<double>());
        }

        return losses;
    }

    /// <summary>What of a batch is the same at every timestep.</summary>
    private readonly record struct Encoded(Tensor Latents, TextConditions Text);

    private Encoded Encode(Batch batch) => new(
        parts.Latents.Latents(batch),                                                                  // [B, 4, H/8, W/8], scaled
        parts.Context.Context(batch));                                                                 // [B, L, C], and what else the text encoder gives

    private Tensor Loss(Batch batch, Encoded encoded, ITimestepSource source)
    {
        var (latents, text) = encoded;
        var noise = parts.Noise.Draw(latents, parts.Random.Noise);                                     // as latents
        var timesteps = source.Draw(batch.Count, parts.Random.Timesteps).to(latents.device);           // [B], int64
        var noisyLatents = parts.Schedule.AddNoise(latents, noise, timesteps);                         // as latents
        var pass = new StepPass(parts.UNet, _strength)
        {
            Batch = batch, Text = text, Latents = latents, Noise = noise, Timesteps = timesteps, NoisyLatents = noisyLatents, Conditions = new(text.Context),
        };
        foreach (var stage in parts.Conditions) pass = pass with { Conditions = stage.Add(pass) };
        var predicted = pass.Predict();                                                                // as latents
        var goal = parts.Prediction.Target(parts.Schedule, latents, noise, timesteps);                 // as latents
        foreach (var stage in parts.Goals) goal = stage.Change(goal, pass);
        return parts.Loss.Compute(new LossInputs
        {
            Predicted = predicted, Target = goal, Timesteps = timesteps, Schedule = parts.Schedule, Prediction = parts.Prediction,
            SampleWeights = batch.LossWeights.to(predicted.device), Mask = batch.Masks?.to(predicted.device),
        }).Mean;
    }

    /// <summary>A batch's images are all of one data set, since its size and batch size are.</summary>
    private static double Multiplier(Batch batch) => batch.Items.Count == 0 ? 1 : batch.Items[0].Dataset.NetworkMultiplier;
}
