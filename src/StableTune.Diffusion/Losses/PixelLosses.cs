using StableTune.Diffusion;
using StableTune.Losses;

namespace StableTune.Losses
{
    /// <summary>The squared error (p - y)², the default ("l2").</summary>
    public sealed record MseLoss : OptionsBase, ILoss
    {
        /// <inheritdoc/>
        public string Name => "l2";

        /// <inheritdoc/>
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            return (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).pow(2).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The absolute error |p - y| ("l1").</summary>
    public sealed record L1Loss : OptionsBase, ILoss
    {
        /// <inheritdoc/>
        public string Name => "l1";

        /// <inheritdoc/>
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            return (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).abs().MoveToOuterDisposeScope();
        }
    }

    /// <summary>
    /// What the two Huber losses share: √((p - y)² + c²) - c times a factor, and a threshold c that depends on the timestep.
    /// </summary>
    public abstract record PseudoHuberLoss : OptionsBase, ILoss
    {
        private protected PseudoHuberLoss() { }

        /// <inheritdoc/>
        public abstract string Name { get; }

        /// <summary>The threshold c that the schedule starts from. Default 0.1.</summary>
        public double C { get; init; } = 0.1;

        /// <summary>A factor of the threshold; not used by the schedule <see cref="HuberSchedule.Snr"/>. Default 1.</summary>
        public double Scale { get; init; } = 1;

        /// <summary>How the threshold depends on the timestep. Default <see cref="HuberSchedule.Snr"/>.</summary>
        public HuberSchedule Schedule { get; init; } = HuberSchedule.Snr;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            if (!(C > 0 && double.IsFinite(C))) yield return Problem(C, "the threshold must be positive", "0.1 is customary");
            if (!(Scale > 0 && double.IsFinite(Scale)))
                yield return Problem(Scale, "the scale must be positive", "1 leaves the threshold as it is");
        }

        /// <inheritdoc/>
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var shape = new long[predicted.dim()];
            Array.Fill(shape, 1);
            shape[0] = -1;
            var c = Schedule.Threshold(schedule, timesteps, C, Scale).reshape(shape);   // [B, 1, 1, 1]
            var excess = ((predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).pow(2) + c.pow(2)).sqrt() - c;
            return Scaled(excess, c).MoveToOuterDisposeScope();
        }

        /// <summary>The loss.</summary>
        /// <param name="excess">√((p - y)² + c²) - c, [B, C, h, w].</param>
        /// <param name="c">The threshold, [B, 1, 1, 1].</param>
        private protected abstract Tensor Scaled(Tensor excess, Tensor c);
    }

    /// <summary>The pseudo-Huber loss 2c(√((p - y)² + c²) - c): squared for small errors, 2c|p - y| for large ones.</summary>
    public sealed record HuberLoss : PseudoHuberLoss
    {
        /// <inheritdoc/>
        public override string Name => "huber";

        private protected override Tensor Scaled(Tensor excess, Tensor c) => excess * (2 * c);
    }

    /// <summary>The smooth absolute error 2(√((p - y)² + c²) - c): the Huber loss divided by its threshold.</summary>
    public sealed record SmoothL1Loss : PseudoHuberLoss
    {
        /// <inheritdoc/>
        public override string Name => "smooth_l1";

        private protected override Tensor Scaled(Tensor excess, Tensor c) => excess * 2;
    }
}

// One using of StableTune is enough to build a run: what extends builders stays there.
namespace StableTune
{
    /// <summary>The pixel losses for any builder that has a place for a loss; without one of them the squared error counts.</summary>
    public static class PixelLossExtensions
    {
        /// <summary>Trains on the absolute instead of the squared error.</summary>
        public static TBuilder WithL1Loss<TBuilder>(this TBuilder builder)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(new L1Loss());

        /// <summary>Trains on the pseudo-Huber loss, which minds outliers less than the squared error.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="loss">Threshold and schedule; null for the defaults.</param>
        public static TBuilder WithHuberLoss<TBuilder>(this TBuilder builder, HuberLoss? loss = null)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new HuberLoss());

        /// <summary>Trains on the smooth absolute error.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="loss">Threshold and schedule; null for the defaults.</param>
        public static TBuilder WithSmoothL1Loss<TBuilder>(this TBuilder builder, SmoothL1Loss? loss = null)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(loss ?? new SmoothL1Loss());
    }
}
