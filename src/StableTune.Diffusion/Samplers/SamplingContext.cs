using StableTune.Diffusion;
using StableTune.Tensors;

namespace StableTune.Samplers;

/// <summary>One step done.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps in all.</param>
/// <param name="Latents">
/// Latents after the step, [B, C, h, w]; valid during the call only. Samplers that work with noise levels hold x₀ + σ ε, not divided by
/// √(σ² + 1).
/// </param>
public readonly record struct SamplingStep(int Step, int TotalSteps, Tensor Latents);

/// <summary>What surrounds a walk: the forward process, the kind of prediction, noise, progress and cancellation.</summary>
public sealed record SamplingContext
{
    /// <summary>The forward process the model was trained with.</summary>
    public required NoiseSchedule Schedule { get; init; }

    /// <summary>What the model predicts. Default ε.</summary>
    public PredictionType Prediction { get; init; } = PredictionType.Epsilon;

    /// <summary>Draws the noise that ancestral and other stochastic samplers add; null is enough for deterministic ones.</summary>
    public NoiseDraw? Noise { get; init; }

    /// <summary>Called after each step on the sampling thread; null for nobody.</summary>
    public Action<SamplingStep>? StepDone { get; init; }

    /// <summary>
    /// Changes the latents after a step, such as to put back what shall stay as it is: gives a fresh tensor of the open dispose scope.
    /// Null, the default, for nothing.
    /// </summary>
    public Func<SamplingStep, Tensor>? AfterStep { get; init; }

    /// <summary>Ends the walk before the next step.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Standard normal noise from a generator, the same for every interval.</summary>
    /// <param name="generator">Stays the caller's; lives on the device of the latents.</param>
    public static NoiseDraw NoiseFrom(Generator generator)
    {
        ArgumentNullException.ThrowIfNull(generator);
        var source = new NormalNoise();
        return (like, _, _) => source.Draw(like, generator);
    }

    /// <summary>Draws noise for an interval of noise levels.</summary>
    /// <param name="like">A tensor whose shape, dtype and device the noise takes.</param>
    /// <param name="from">The noise level σ where the interval begins.</param>
    /// <param name="to">The noise level σ where the interval ends.</param>
    /// <returns>A fresh tensor of variance 1.</returns>
    /// <exception cref="InvalidOperationException">This context brings no noise.</exception>
    public Tensor DrawNoise(Tensor like, double from, double to) => Noise is { } draw
        ? draw(like, from, to)
        : throw new InvalidOperationException(
            $"This sampler adds noise on the way, but {nameof(SamplingContext)}.{nameof(Noise)} is not set. "
            + $"Set it, for instance to {nameof(SamplingContext)}.{nameof(NoiseFrom)}(generator).");

    /// <summary>
    /// The loop of every sampler: without gradients, with a scope for each step, telling progress and looking at the
    /// cancellation token between steps.
    /// </summary>
    /// <param name="latents">The start, [B, C, h, w]; stays the caller's.</param>
    /// <param name="steps">The number of steps.</param>
    /// <param name="step">From the latents and the step's index (from 0) to the next latents. It runs in a scope of its own; what it keeps
    /// for later steps goes into a <see cref="TensorHistory"/>.</param>
    /// <returns>Latents after the last step, a fresh tensor.</returns>
    /// <exception cref="InvalidOperationException">After a step the latents are NaN or infinite: nothing could come of them.</exception>
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
                var moved = step(current, index);
                var changed = AfterStep is { } change ? change(new SamplingStep(index + 1, steps, moved)) : moved;
                var next = changed.alias().MoveToOuterDisposeScope();   // an alias, should a step give back what it was given
                current.Dispose();
                current = next;
                ThrowIfBroken(current, index + 1, steps);
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

    private static void ThrowIfBroken(Tensor latents, int step, int steps)
    {
        if (FiniteNumbers.Fault(latents) is { } fault)
            throw new InvalidOperationException(
                $"After step {step} of {steps} the latents are broken: {fault}. The weights of the model or of an adapter hold such " +
                "numbers (ModelInspector names the tensor), or they overflow in their type: load the model in float32 or bfloat16.");
    }
}
