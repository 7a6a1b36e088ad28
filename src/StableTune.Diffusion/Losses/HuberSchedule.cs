using StableTune.Diffusion;

namespace StableTune.Losses;

/// <summary>How the threshold of a Huber loss, below which the error counts squared, depends on the timestep.</summary>
/// <remarks>
/// Khrapov et al., Improving diffusion models' data-corruption resistance using scheduled pseudo-Huber loss, arXiv:2403.16728.
/// </remarks>
public abstract class HuberSchedule
{
    /// <summary>For another schedule.</summary>
    /// <param name="name">The name that configurations use.</param>
    protected HuberSchedule(string name) => Name = name;

    /// <summary>c · scale at every timestep.</summary>
    public static HuberSchedule Constant { get; } = new ConstantSchedule();

    /// <summary>c^(t / T) · scale: from scale at t = 0 down to c · scale.</summary>
    public static HuberSchedule Exponential { get; } = new ExponentialSchedule();

    /// <summary>(1 - c) / (1 + σ)² + c with σ = √((1 - ᾱ) / ᾱ). The scale is not used, as in sd-scripts. The default there.</summary>
    public static HuberSchedule Snr { get; } = new SnrSchedule();

    /// <summary>The schedules that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyList<HuberSchedule> Known { get; } = [Constant, Exponential, Snr];

    /// <summary>The name that configurations use: <c>constant</c>, <c>exponential</c>, <c>snr</c>.</summary>
    public string Name { get; }

    /// <summary>The schedule with this name.</summary>
    /// <exception cref="ArgumentException">No schedule has this name; the message lists the known ones.</exception>
    public static HuberSchedule Parse(string name) =>
        Known.FirstOrDefault(schedule => schedule.Name == name)
        ?? throw new ArgumentException(
            $"\"{name}\" is no Huber schedule; known are {string.Join(", ", Known.Select(schedule => schedule.Name))}.", nameof(name));

    /// <summary>The threshold of each sample.</summary>
    /// <param name="schedule">The forward process.</param>
    /// <param name="timesteps">One per sample, [B], int64.</param>
    /// <param name="c">The parameter c, positive.</param>
    /// <param name="scale">The factor of the constant and the exponential schedule, positive.</param>
    /// <returns>A fresh tensor [B], float32, positive.</returns>
    public abstract Tensor Threshold(NoiseSchedule schedule, Tensor timesteps, double c, double scale);

    /// <inheritdoc/>
    public sealed override string ToString() => Name;

    private sealed class ConstantSchedule() : HuberSchedule("constant")
    {
        public override Tensor Threshold(NoiseSchedule schedule, Tensor timesteps, double c, double scale) =>
            full(timesteps.shape, c * scale, dtype: ScalarType.Float32, device: timesteps.device);
    }

    private sealed class ExponentialSchedule() : HuberSchedule("exponential")
    {
        public override Tensor Threshold(NoiseSchedule schedule, Tensor timesteps, double c, double scale)
        {
            using var scope = NewDisposeScope();
            var rate = -Math.Log(c) / schedule.Count;
            // In float64: sd-scripts computes this number by number in Python.
            return (exp(timesteps.to(ScalarType.Float64) * -rate) * scale).to(ScalarType.Float32).MoveToOuterDisposeScope();
        }
    }

    private sealed class SnrSchedule() : HuberSchedule("snr")
    {
        public override Tensor Threshold(NoiseSchedule schedule, Tensor timesteps, double c, double scale)
        {
            using var scope = NewDisposeScope();
            var alphas = schedule.AlphasCumprodAt(timesteps);
            var sigmas = ((1 - alphas) / alphas).sqrt();
            return ((1 - c) / (1 + sigmas).pow(2) + c).MoveToOuterDisposeScope();
        }
    }
}
