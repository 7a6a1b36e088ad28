using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>
/// Measures the loss on the images that are held out: each batch at four fixed timesteps, with the same noise each time. Has random
/// streams, caches and
/// a loader of its own, so that what is learnt is the same with it and without.
/// </summary>
internal sealed class ValidationRun : IDisposable
{
    private readonly TrainingPlan _plan;
    private readonly TrainingDataset _images;
    private readonly NamedSeeds _seeds;
    private readonly BatchLoader _loader;

    /// <summary>Prepares measuring; <see cref="Fill"/> completes it while all parts of the model are there.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="images">The images that are held out.</param>
    /// <param name="caches">Their caches; stay the caller's.</param>
    public ValidationRun(TrainingPlan plan, TrainingDataset images, RunCaches caches)
    {
        (_plan, _images, Caches) = (plan, images, caches);
        _seeds = new(new NamedSeeds(plan.Validation?.Seed ?? plan.Seed).For("validation"));
        _loader = new BatchLoader(plan.Loader, caches.Latents, caches.Text);
    }

    /// <summary>What is computed once.</summary>
    public RunCaches Caches { get; }

    /// <summary>Computes what is missing in the caches.</summary>
    public void Fill(StableDiffusionModel model, CancellationToken cancellationToken)
    {
        if (Caches.Latents is { Missing.Count: > 0 } latents) latents.Fill(new VaeLatentEncoder(model), _seeds, null, cancellationToken);
        if (Caches.Text is { Missing.Count: > 0 } text)
            text.Fill(new PromptTextEncoder(PromptEncoder.For(model), _plan), null, cancellationToken);
    }

    /// <summary>The mean loss with the model as it is now.</summary>
    /// <param name="method">Makes the method of a step with these random streams.</param>
    /// <param name="trainables">What is trained: its dropouts rest meanwhile.</param>
    /// <param name="cancellationToken">Ends the wait for a batch.</param>
    public double Measure(Func<TrainingRandom, ITrainingMethod> method, IReadOnlyList<ITrainable> trainables,
        CancellationToken cancellationToken)
    {
        using var random = new TrainingRandom(_seeds);
        using var measured = method(random);
        foreach (var trainable in trainables) trainable.SetTraining(false);
        try
        {
            var (sum, count) = (0.0, 0);
            var batches = _loader.Load(EpochPlan.Create(_images, _seeds, 1), cancellationToken: cancellationToken);
            foreach (var batch in batches.Take((_plan.Validation ?? new()).MaxSteps ?? int.MaxValue))
            {
                using (batch)
                    foreach (var loss in measured.Validate(batch)) (sum, count) = (sum + loss, count + 1);
            }

            return sum / count;
        }
        finally
        {
            foreach (var trainable in trainables) trainable.SetTraining(true);
        }
    }

    /// <summary>Stops the loader.</summary>
    public void Dispose() => _loader.Dispose();
}
