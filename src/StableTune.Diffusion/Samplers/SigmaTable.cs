using StableTune.Diffusion;

namespace StableTune.Samplers;

/// <summary>The noise levels σ = √((1 - ᾱ) / ᾱ) of a schedule, and the ways between times and levels.</summary>
public sealed class SigmaTable
{
    // Where nothing of the image is left (zero terminal SNR) σ would be infinite: the reference takes this ᾱ there, σ = 4096.
    private const float LeastAlpha = 1f / (1 << 24);

    private readonly float[] _sigmas;

    /// <summary>The levels of a schedule; all finite, also where ᾱ is 0.</summary>
    public SigmaTable(NoiseSchedule schedule)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        _sigmas = [.. schedule.AlphasCumprod.Select(SigmaOf)];
    }

    /// <summary>The level of time 0, the least.</summary>
    public double Least => _sigmas[0];

    /// <summary>The level of the last time, the greatest.</summary>
    public double Greatest => _sigmas[^1];

    /// <summary>The level √((1 - ᾱ) / ᾱ), in float32 as in the reference; at most 4096, also where ᾱ is 0.</summary>
    /// <param name="alphaCumprod">ᾱ, 0 to 1.</param>
    public static float SigmaOf(float alphaCumprod)
    {
        var alpha = Math.Max(alphaCumprod, LeastAlpha);
        return MathF.Sqrt((1 - alpha) / alpha);
    }

    /// <summary>The level at a time, by linear interpolation of the levels.</summary>
    /// <param name="timestep">A time in [0, T - 1].</param>
    public double At(double timestep)
    {
        var low = Math.Clamp((int)timestep, 0, _sigmas.Length - 1);
        var high = Math.Min(low + 1, _sigmas.Length - 1);
        return _sigmas[low] + (timestep - low) * ((double)_sigmas[high] - _sigmas[low]);
    }

    /// <summary>The time of a level, by linear interpolation of the logarithms; times end at 0 and T - 1.</summary>
    /// <param name="sigma">A noise level, positive.</param>
    public double TimeOf(double sigma)
    {
        if (_sigmas.Length == 1) return 0;
        var wanted = Math.Log(Math.Max(sigma, 1e-10));
        var low = 0;
        while (low < _sigmas.Length - 2 && LogAt(low + 1) <= wanted) low++;
        var share = (LogAt(low) - wanted) / (LogAt(low) - LogAt(low + 1));
        return low + Math.Clamp(share, 0, 1);
    }

    /// <summary>Levels between two given ones, spaced so that steps shorten towards the image.</summary>
    /// <remarks>
    /// Karras et al., Elucidating the design space of diffusion-based generative models, arXiv:2206.00364, equation 5, ρ = 7.
    /// </remarks>
    /// <param name="greatest">The first level.</param>
    /// <param name="least">The last level.</param>
    /// <param name="steps">The number of levels, at least 1.</param>
    public static double[] Karras(double greatest, double least, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        const double rho = 7;
        var (from, to) = (Math.Pow(greatest, 1 / rho), Math.Pow(least, 1 / rho));
        var sigmas = new double[steps];
        for (var i = 0; i < steps; i++) sigmas[i] = Math.Pow(from + (steps > 1 ? i / (steps - 1.0) : 0) * (to - from), rho);
        return sigmas;
    }

    private double LogAt(int index) => MathF.Log(_sigmas[index]);   // float32, as the reference's table
}
