using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>
/// Measures the loss on the images that are held out: each batch at four fixed timesteps, with the same noise each time. Has random streams, caches and
/// a loader of its own, so that what is learnt is the same with it and without.
/// </summary>
internal sealed class ValidationRun : IDisposable
{
    private const int Timesteps = 4;

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
        if (Caches.Text is { Missing.Count: > 0 } text) text.Fill(new PromptTextEncoder(PromptEncoder.For(model), _plan), null, cancellationToken);
    }

    /// <summary>The mean loss with the model as it is now.</summary>
    /// <param name="parts">Makes the stages of a step with these random streams.</param>
    /// <param name="cancellationToken">Ends the wait for a batch.</param>
    public double Measure(Func<TrainingRandom, TrainingStepParts> parts, CancellationToken cancellationToken)
    {
        using var random = new TrainingRandom(_seeds);
        var stages = parts(random);
        var step = new TrainingStep(stages);
        OneTimestep[] timesteps = [.. FixedTimesteps(stages.Schedule).Select(timestep => new OneTimestep(timestep))];
        foreach (var target in stages.Targets) target.SetTraining(false);
        try
        {
            var (sum, count) = (0.0, 0);
            var batches = _loader.Load(EpochPlan.Create(_images, _seeds, 1), cancellationToken: cancellationToken);
            foreach (var batch in batches.Take((_plan.Validation ?? new()).MaxSteps ?? int.MaxValue))
            {
                using (batch)
                    foreach (var loss in step.Measure(batch, timesteps)) (sum, count) = (sum + loss, count + 1);
            }

            return sum / count;
        }
        finally
        {
            foreach (var target in stages.Targets) target.SetTraining(true);
        }
    }

    /// <summary>The inner points of six that divide the range evenly, rounded down: 200, 400, 600, 800 of 0 to 1000.</summary>
    private IEnumerable<int> FixedTimesteps(NoiseSchedule schedule)
    {
        var (first, last) = _plan.Timesteps is UniformTimesteps { Min: var min, Max: var max } ? (min, max) : (0, schedule.Count);
        for (var i = 1; i <= Timesteps; i++) yield return (int)(first + (i * ((last - first) / (Timesteps + 1.0))));
    }

    /// <summary>Stops the loader.</summary>
    public void Dispose() => _loader.Dispose();

    private sealed class OneTimestep(int timestep) : ITimestepSource
    {
        public Tensor Draw(int count, Generator generator) => full([count], timestep, dtype: ScalarType.Int64);
    }
}
