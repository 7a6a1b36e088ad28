namespace StableTune.Diffusion;

/// <summary>One step done.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps in all.</param>
/// <param name="Latents">Latents after the step, [B, C, h, w]; valid during the call only. Samplers that work with sigmas hold them unscaled.</param>
public readonly record struct SamplingStep(int Step, int TotalSteps, Tensor Latents);

/// <summary>What surrounds a walk: the forward process, the kind of prediction, noise, progress and cancellation.</summary>
public sealed record SamplingContext
{
    /// <summary>The forward process the model was trained with.</summary>
    public required NoiseSchedule Schedule { get; init; }

    /// <summary>What the model predicts. Default ε.</summary>
    public PredictionType Prediction { get; init; } = PredictionType.Epsilon;

    /// <summary>Draws the noise that ancestral samplers add; null is enough for deterministic ones.</summary>
    public NoiseDraw? Noise { get; init; }

    /// <summary>Called after each step on the sampling thread; null for nobody.</summary>
    public Action<SamplingStep>? StepDone { get; init; }

    /// <summary>Ends the walk before the next step.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Standard normal noise from a generator.</summary>
    public static NoiseDraw NoiseFrom(Generator generator)
    {
        var source = new NormalNoise();
        return like => source.Draw(like, generator);
    }

    /// <summary>Draws noise.</summary>
    /// <param name="like">A tensor whose shape, dtype and device the noise takes.</param>
    /// <exception cref="InvalidOperationException">This context brings no noise.</exception>
    public Tensor DrawNoise(Tensor like) => Noise is { } draw
        ? draw(like)
        : throw new InvalidOperationException($"This sampler adds noise on the way, but {nameof(SamplingContext)}.{nameof(Noise)} is not set. Set it, for instance to {nameof(NoiseFrom)}(generator).");

    /// <summary>
    /// The loop of every sampler: without gradients, with a scope for each step, telling progress and looking at the
    /// cancellation token between steps.
    /// </summary>
    /// <param name="latents">The start, [B, C, h, w]; stays the caller's.</param>
    /// <param name="steps">The number of steps.</param>
    /// <param name="step">From the latents and the step's index (from 0) to the next latents, a fresh tensor. What it keeps for later
    /// steps it must detach from the scope, and dispose.</param>
    /// <returns>Latents after the last step, a fresh tensor.</returns>
    public Tensor Walk(Tensor latents, int steps, Func<Tensor, int, Tensor> step)
    {
        ArgumentNullException.ThrowIfNull(latents);
        ArgumentNullException.ThrowIfNull(step);
        using var gradients = no_grad();
        var current = latents.alias();
        try
        {
            for (var index = 0; index < steps; index++)
            {
                CancellationToken.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var next = step(current, index).MoveToOuterDisposeScope();
                current.Dispose();
                current = next;
                StepDone?.Invoke(new SamplingStep(index + 1, steps, current));
            }
            return current;
        }
        catch
        {
            current.Dispose();
            throw;
        }
    }
}
