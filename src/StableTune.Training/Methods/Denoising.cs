using System.Collections.Immutable;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>The usual method: noise is added to latents, and the network predicts it (or the velocity, or the image).</summary>
public sealed record DenoisingOptions : TrainingMethodOptions
{
    /// <inheritdoc/>
    public override ITrainingMethod Create(MethodSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return new Denoising(Parts(setup));
    }

    /// <summary>The stages of a step: those of the plan where it has some, else the usual ones, and what trainables add.</summary>
    internal static TrainingStepParts Parts(MethodSetup setup)
    {
        var (model, plan, random) = (setup.Model, setup.Plan, setup.Random);
        var encoder = model.Parts.HasFlag(ModelParts.TextEncoder) ? PromptEncoder.For(model) : null;
        ImmutableList<IConditionStage> usual = model.UNet.TakesMask ? [new SizeConditionStage(), new RandomMaskStage(model, random.Masks)]
            : model.UNet.TakesDepth ? [new SizeConditionStage(), new DepthStage()] : [new SizeConditionStage()];
        return new TrainingStepParts
        {
            Latents = plan.Stages.Latents ?? new VaeLatentStage(model, random.Vae),
            Context = plan.Stages.Context ?? new PromptContextStage(
                new PromptContextParts(encoder, plan, model.Device, random)
                {
                    Captions = [.. plan.Stages.Captions, .. setup.Stages.Captions],
                }),
            Conditions = [.. plan.Stages.Conditions ?? usual, .. setup.Stages.Conditions],
            Network = plan.Stages.Network ?? model.UNet,
            Schedule = NoiseSchedule.From(model.Scheduler),
            WeightingSchedule = setup.WeightingSchedule,
            Prediction = PredictionType.Of(model.Scheduler.Prediction),
            Targets = [.. plan.Stages.Targets ?? (ImmutableList<ITargetStage>)[new PreservedOutputStage()], .. setup.Stages.Targets],
            Noise = plan.Noise,
            Timesteps = plan.Timesteps,
            Loss = plan.Loss,
            Trainables = setup.Trainables,
            Random = random,
        };
    }
}

/// <summary>One batch to a loss; the order of the stages is that of sd-scripts.</summary>
internal sealed class Denoising(TrainingStepParts parts) : ITrainingMethod
{
    private const int ValidationTimesteps = 4;

    private readonly TrainableStrength _strength = new(parts.Trainables);
    private TrainableStrength.Restored? _acting;

    /// <remarks>The multiplier stays to the end of the backward pass: checkpointing computes activations again there.</remarks>
    public Tensor Loss(Batch batch)
    {
        EndBatch();
        _acting = _strength.Set(Multiplier(batch));
        var (loss, samples) = Loss(batch, Encode(batch), parts.Timesteps);
        Samples = samples;
        return loss;
    }

    public SampleLosses? Samples { get; private set; }

    public void EndBatch()
    {
        _acting?.Dispose();
        _acting = null;
        Samples = null;
    }

    /// <summary>At the inner points of six that divide the range of timesteps evenly, rounded down: 200, 400, 600, 800 of 0 to
    /// 1000.</summary>
    public IReadOnlyList<double> Validate(Batch batch)
    {
        var (first, last) = parts.Timesteps.Range ?? (0, parts.Schedule.Count);
        return Measure(batch, Enumerable.Range(1, ValidationTimesteps)
            .Select(i => new OneTimestep((int)(first + (i * ((last - first) / (ValidationTimesteps + 1.0)))))));
    }

    /// <summary>The batch's mean loss without gradients at each of several timesteps: pictures and captions are encoded once for all of
    /// them.</summary>
    public IReadOnlyList<double> Measure(Batch batch, IEnumerable<ITimestepSource> timesteps)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var strength = _strength.Set(Multiplier(batch));
        var encoded = Encode(batch);
        var losses = new List<double>();
        foreach (var source in timesteps)
        {
            using var inPass = NewDisposeScope();
            losses.Add(Loss(batch, encoded, source).Mean.to(ScalarType.Float64).item<double>());
        }

        return losses;
    }

    public void Dispose() => EndBatch();

    /// <summary>What of a batch is the same at every timestep.</summary>
    private readonly record struct Encoded(Tensor Latents, TextConditions Text);

    private Encoded Encode(Batch batch) => new(
        parts.Latents.Latents(batch),                                                                  // [B, 4, H/8, W/8], scaled
        // [B, L, C], and what else the text encoder gives
        parts.Context.Context(batch));

    private (Tensor Mean, SampleLosses Samples) Loss(Batch batch, Encoded encoded, ITimestepSource source)
    {
        var (latents, text) = encoded;
        StageChecks.Latents(parts.Latents, latents, batch);
        StageChecks.Context(parts.Context, text, batch);
        Tensor Like(object part, string member, Tensor given) => StageChecks.Shape(part, member, given, latents.shape);
        // Drawn for the whole batch, of which this may be the share of one of several devices.
        var (share, all) = (batch.Share, batch.Share.Within(latents));
        Tensor Whole(string member, Tensor given) => StageChecks.Shape(parts.Noise, member, given, all.shape);
        var drawn = Whole(nameof(INoiseSource.Draw), parts.Noise.Draw(all, parts.Random.Noise));
        var noise = share.Cut(drawn);
        var timesteps = share.Cut(StageChecks.Shape(source, nameof(ITimestepSource.Draw),
            source.Draw(share.Total, parts.Random.Timesteps), [share.Total])).to(latents.device);
        var added = share.Cut(Whole(nameof(INoiseSource.Added), parts.Noise.Added(drawn, parts.Random.Noise)));
        var noisyLatents = parts.Schedule.AddNoise(latents, added, timesteps);                         // as latents
        var pass = new StepPass(parts.Network, _strength)
        {
            Batch = batch, Text = text, Latents = latents, Noise = noise, Timesteps = timesteps, NoisyLatents = noisyLatents,
            Conditions = new(text.Context),
        };
        foreach (var stage in parts.Conditions) pass = pass with { Conditions = stage.Add(pass) };
        var predicted = Like(parts.Network, nameof(IDenoisingNetwork.Predict), pass.Predict());
        var target = parts.Prediction.Target(parts.Schedule, latents, noise, timesteps);               // as latents
        foreach (var stage in parts.Targets)
            target = Like(stage, nameof(ITargetStage.Change), stage.Change(target, pass));

        var loss = parts.Loss.Compute(new LossInputs
        {
            Predicted = predicted, Target = target, Timesteps = timesteps, Schedule = parts.Schedule, Prediction = parts.Prediction,
            SampleWeights = batch.LossWeights.to(predicted.device), Mask = batch.Masks?.to(predicted.device),
            WeightingSchedule = parts.WeightingSchedule,
        });
        return (loss.Mean, new SampleLosses(loss.PerSample.detach(), timesteps, parts.Schedule.Count));
    }

    /// <summary>A batch's images are all of one data set, since its size and batch size are.</summary>
    private static double Multiplier(Batch batch) => batch.Items.Count == 0 ? 1 : batch.Items[0].Dataset.NetworkMultiplier;

    private sealed class OneTimestep(int timestep) : ITimestepSource
    {
        public Tensor Draw(int count, Generator generator) => full([count], timestep, dtype: ScalarType.Int64);
    }
}
