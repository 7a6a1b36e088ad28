namespace StableTune.Diffusion;

/// <summary>
/// The forward diffusion process: how much of the image and how much noise there is at each timestep. An immutable table
/// of numbers, the same for every thread and device.
/// </summary>
/// <remarks>Ho et al., Denoising diffusion probabilistic models, arXiv:2006.11239. Tables are computed in float32 in the
/// order of operations of the reference schedulers, and not by the tensor library, whose releases round differently.</remarks>
public sealed class NoiseSchedule
{
    private static readonly Dictionary<string, Func<double, double, int, NoiseSchedule>> s_byName = new()
    {
        ["scaled_linear"] = ScaledLinear,
        ["linear"] = Linear,
        ["squaredcos_cap_v2"] = (_, _, count) => SquaredCosine(count),
    };

    private readonly float[] _betas, _alphasCumprod, _snr;

    private NoiseSchedule(float[] betas)
    {
        _betas = betas;
        _alphasCumprod = new float[betas.Length];
        var product = 1.0;   // accumulated in float64 and rounded at each timestep, as the reference's cumulative product
        for (var t = 0; t < betas.Length; t++) _alphasCumprod[t] = (float)(product *= 1 - betas[t]);
        _snr = [.. _alphasCumprod.Select(alpha => Square(MathF.Sqrt(alpha) / MathF.Sqrt(1 - alpha)))];
    }

    /// <summary>The number of training timesteps, T; timesteps run from 0 to T - 1.</summary>
    public int Count => _alphasCumprod.Length;

    /// <summary>β, the share of variance added at each timestep, [T].</summary>
    public IReadOnlyList<float> Betas => _betas;

    /// <summary>ᾱ, the product of 1 - β, [T], decreasing.</summary>
    public IReadOnlyList<float> AlphasCumprod => _alphasCumprod;

    /// <summary>The signal-to-noise ratio ᾱ / (1 - ᾱ), [T], decreasing.</summary>
    public IReadOnlyList<float> SignalToNoise => _snr;

    /// <summary>The schedule of Stable Diffusion: the square roots of β grow linearly.</summary>
    /// <param name="betaStart">β of the first timestep, in (0, 1).</param>
    /// <param name="betaEnd">β of the last timestep, in (0, 1).</param>
    /// <param name="count">The number of timesteps, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A β is outside (0, 1), or there are no timesteps.</exception>
    public static NoiseSchedule ScaledLinear(double betaStart = 0.00085, double betaEnd = 0.012, int count = 1000)
    {
        ThrowIfUnusable(betaStart, betaEnd, count);
        return new NoiseSchedule([.. Evenly((float)Math.Sqrt(betaStart), (float)Math.Sqrt(betaEnd), count).Select(Square)]);
    }

    /// <summary>A schedule whose β grow linearly.</summary>
    /// <param name="betaStart">β of the first timestep, in (0, 1).</param>
    /// <param name="betaEnd">β of the last timestep, in (0, 1).</param>
    /// <param name="count">The number of timesteps, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A β is outside (0, 1), or there are no timesteps.</exception>
    public static NoiseSchedule Linear(double betaStart, double betaEnd, int count = 1000)
    {
        ThrowIfUnusable(betaStart, betaEnd, count);
        return new NoiseSchedule(Evenly((float)betaStart, (float)betaEnd, count));
    }

    /// <summary>A schedule whose ᾱ follows a squared cosine; β end at 0.999.</summary>
    /// <remarks>Nichol and Dhariwal, Improved denoising diffusion probabilistic models, arXiv:2102.09672, equation 17.</remarks>
    /// <param name="count">The number of timesteps, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no timesteps.</exception>
    public static NoiseSchedule SquaredCosine(int count = 1000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return new NoiseSchedule([.. Enumerable.Range(0, count).Select(t => (float)Math.Min(1 - Bar(t + 1) / Bar(t), 0.999))]);

        double Bar(int t) => Math.Pow(Math.Cos(((double)t / count + 0.008) / 1.008 * Math.PI / 2), 2);
    }

    /// <summary>The schedule that a model's configuration describes.</summary>
    /// <exception cref="InvalidOptionsException">The configuration cannot work.</exception>
    public static NoiseSchedule From(SchedulerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var schedule = options.TrainedBetas is { } betas
            ? new NoiseSchedule([.. betas.Select(beta => (float)beta)])
            : s_byName[options.BetaSchedule](options.BetaStart, options.BetaEnd, options.TrainTimesteps);
        return options.RescaleBetasZeroSnr ? schedule.WithZeroTerminalSnr() : schedule;
    }

    /// <summary>
    /// This schedule, stretched so that the last timestep holds nothing but noise (ᾱ = 0, a signal-to-noise ratio of 0).
    /// </summary>
    /// <remarks>Lin et al., Common diffusion noise schedules and sample steps are flawed, arXiv:2305.08891, algorithm 1.
    /// sd-scripts weights its losses by the ratios of the schedule before this correction; keep that one for the weights
    /// where its numbers are wanted.</remarks>
    public NoiseSchedule WithZeroTerminalSnr()
    {
        var roots = _alphasCumprod.Select(MathF.Sqrt).ToArray();
        var (first, last) = (roots[0], roots[^1]);
        var stretch = first / (first - last);
        var alphasCumprod = roots.Select(root => Square((root - last) * stretch)).ToArray();
        return new NoiseSchedule([.. alphasCumprod.Select((alpha, t) => 1 - (t == 0 ? alpha : alpha / alphasCumprod[t - 1]))]);
    }

    /// <summary>√ᾱ · latents + √(1 - ᾱ) · noise, computed in float32.</summary>
    /// <param name="latents">Scaled latents, [B, C, h, w].</param>
    /// <param name="noise">As the latents.</param>
    /// <param name="timesteps">One timestep per sample in [0, T), [B], int64.</param>
    /// <returns>Noisy latents, shape, dtype and device of the latents.</returns>
    public Tensor AddNoise(Tensor latents, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var (signal, spread) = Roots(timesteps, latents.dim());
        return (signal * latents + spread * noise).to(latents.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>√ᾱ · noise - √(1 - ᾱ) · latents, the target of v-prediction, computed in float32.</summary>
    /// <remarks>Salimans and Ho, Progressive distillation, arXiv:2202.00512, section 4.</remarks>
    /// <param name="latents">Scaled latents, [B, C, h, w].</param>
    /// <param name="noise">As the latents.</param>
    /// <param name="timesteps">One timestep per sample in [0, T), [B], int64.</param>
    /// <returns>The velocity, shape, dtype and device of the latents.</returns>
    public Tensor Velocity(Tensor latents, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var (signal, spread) = Roots(timesteps, latents.dim());
        return (signal * noise - spread * latents).to(latents.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The signal-to-noise ratio at the given timesteps.</summary>
    /// <param name="timesteps">Timesteps in [0, T), [B], int64.</param>
    /// <returns>ᾱ / (1 - ᾱ), [B], float32, on the timesteps' device.</returns>
    public Tensor Snr(Tensor timesteps) => Gather(_snr, timesteps);

    /// <summary>ᾱ at the given timesteps.</summary>
    /// <param name="timesteps">Timesteps in [0, T), [B], int64.</param>
    /// <returns>ᾱ, [B], float32, on the timesteps' device.</returns>
    public Tensor AlphasCumprodAt(Tensor timesteps) => Gather(_alphasCumprod, timesteps);

    /// <summary>Numbers in equal steps, [count], both halves from their own end: bit for bit what the reference's linspace gives.</summary>
    private static float[] Evenly(float start, float end, int count)
    {
        var step = count > 1 ? (end - start) / (count - 1) : 0;
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = i < count / 2 || count == 1 ? MathF.FusedMultiplyAdd(step, i, start)
                : MathF.FusedMultiplyAdd(-step, count - 1 - i, end);
        return values;
    }

    private static float Square(float value) => value * value;

    /// <summary>√ᾱ and √(1 - ᾱ), each [B, 1, 1, ...] of the given number of dimensions.</summary>
    private (Tensor Signal, Tensor Spread) Roots(Tensor timesteps, long dimensions)
    {
        var shape = new long[dimensions];
        Array.Fill(shape, 1);
        shape[0] = -1;
        var alphas = Gather(_alphasCumprod, timesteps).reshape(shape);
        return (alphas.sqrt(), (1 - alphas).sqrt());
    }

    private static Tensor Gather(float[] table, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        return tensor(table, [table.Length], dtype: ScalarType.Float32).to(timesteps.device).index_select(0, timesteps)
            .MoveToOuterDisposeScope();
    }

    private static void ThrowIfUnusable(double betaStart, double betaEnd, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        foreach (var (beta, name) in new[] { (betaStart, nameof(betaStart)), (betaEnd, nameof(betaEnd)) })
            if (!(beta > 0 && beta < 1))
                throw new ArgumentOutOfRangeException(name, beta, "A beta lies between 0 and 1; Stable Diffusion has 0.00085 to 0.012.");
    }
}
