namespace StableTune.Samplers;

/// <summary>
/// One step of a sampler: where the walk stands, what earlier steps kept, and noise. <see cref="SigmaStep"/> and <see cref="AlphaStep"/>
/// add how the model is asked.
/// </summary>
public abstract class SamplerStep
{
    private readonly SamplerWalk _walk;

    private protected SamplerStep(SamplerWalk walk, Tensor latents, int index) => (_walk, Latents, Index) = (walk, latents, index);

    /// <summary>The latents at the beginning of the step, [B, C, h, w]. Not to be disposed.</summary>
    public Tensor Latents { get; }

    /// <summary>Which step of the walk this is, from 0.</summary>
    public int Index { get; }

    /// <summary>How many steps the walk has.</summary>
    public int Count => _walk.Times.Timesteps.Count;

    /// <summary>The time at the beginning of the step.</summary>
    public double Time => _walk.Times.Timesteps[Index];

    /// <summary>The time at its end, where the next step begins; null in the last step, which leads out of the schedule.</summary>
    public double? NextTime => Index + 1 < Count ? _walk.Times.Timesteps[Index + 1] : null;

    /// <summary>The noise level σ at the beginning of the step.</summary>
    public abstract double From { get; }

    /// <summary>The noise level σ at its end; 0 where the image is reached.</summary>
    public abstract double To { get; }

    /// <summary>What surrounds the walk.</summary>
    public SamplingContext Context => _walk.Context;

    /// <summary>What earlier steps of this walk kept; empty in the first one.</summary>
    public TensorHistory History => HistoryOf("");

    /// <summary>A history of its own for each kind of tensor, for methods that keep several.</summary>
    /// <param name="kind">Any name, such as "latents".</param>
    public TensorHistory HistoryOf(string kind) => _walk.HistoryOf(kind);

    /// <summary>Standard normal noise for this step, as the latents.</summary>
    /// <exception cref="InvalidOperationException">The context brings no noise.</exception>
    public Tensor Noise() => Noise(From, To);

    /// <summary>Standard normal noise for another interval of noise levels, as the latents.</summary>
    /// <param name="from">The noise level σ where the interval begins.</param>
    /// <param name="to">The noise level σ where it ends.</param>
    /// <exception cref="InvalidOperationException">The context brings no noise.</exception>
    public Tensor Noise(double from, double to) => Context.DrawNoise(Latents, from, to);

    private protected SamplingTimes Times => _walk.Times;

    private protected Denoiser Model => _walk.Denoiser;
}

/// <summary>One call of <see cref="ISampler.Sample"/>: what is the same for all its steps, and what they keep for one another.</summary>
internal sealed class SamplerWalk : IDisposable
{
    private readonly Dictionary<string, TensorHistory> _histories = [];

    internal SamplerWalk(Denoiser denoiser, SamplingTimes times, SamplingContext context)
    {
        ArgumentNullException.ThrowIfNull(denoiser);
        ArgumentNullException.ThrowIfNull(times);
        ArgumentNullException.ThrowIfNull(context);
        (Denoiser, Times, Context) = (denoiser, times, context);
    }

    internal Denoiser Denoiser { get; }

    internal SamplingTimes Times { get; }

    internal SamplingContext Context { get; }

    internal TensorHistory HistoryOf(string kind) =>
        _histories.TryGetValue(kind, out var history) ? history : _histories[kind] = new TensorHistory();

    public void Dispose()
    {
        foreach (var history in _histories.Values) history.Dispose();
    }
}
