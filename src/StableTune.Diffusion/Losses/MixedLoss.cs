using StableTune.Diffusion;
using StableTune.Losses;

namespace StableTune.Losses
{
    /// <summary>A sum of losses, each with its strength: mse · (p - y)² + mae · |p - y| + log_cosh · log cosh(p - y).</summary>
    /// <remarks>The mixture that OneTrainer has (there: MSE, MAE and log-cosh strength).</remarks>
    public sealed record MixedLoss : OptionsBase, ILoss
    {
        /// <inheritdoc/>
        public string Name => "mixed";

        /// <summary>The strength of the squared error, not negative. Default 1.</summary>
        public double Mse { get; init; } = 1;

        /// <summary>The strength of the absolute error, not negative. Default 0.</summary>
        public double Mae { get; init; }

        /// <summary>The strength of log cosh of the error, not negative. Default 0.</summary>
        public double LogCosh { get; init; }

        private IEnumerable<(double Strength, ILoss Loss)> Parts =>
            new (double Strength, ILoss Loss)[] { (Mse, new MseLoss()), (Mae, new L1Loss()), (LogCosh, new LogCoshLoss()) }
                .Where(part => part.Strength > 0);

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            const string rule = "a strength must not be negative, and finite", remedy = "0 leaves the loss out";
            if (!(Mse >= 0 && double.IsFinite(Mse))) yield return Problem(Mse, rule, remedy);
            if (!(Mae >= 0 && double.IsFinite(Mae))) yield return Problem(Mae, rule, remedy);
            if (!(LogCosh >= 0 && double.IsFinite(LogCosh))) yield return Problem(LogCosh, rule, remedy);
            if ((Mse, Mae, LogCosh) is (0, 0, 0)) yield return Problem(Mse, "all strengths are 0, so nothing would be learnt", "set one");
        }

        /// <inheritdoc/>
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var sum = Parts.Select(part => part.Loss.PerElement(predicted, target, schedule, timesteps) * part.Strength)
                .Aggregate((one, other) => one + other);
            return sum.MoveToOuterDisposeScope();
        }
    }
}

// One using of StableTune is enough to build a run: what extends builders stays there.
namespace StableTune
{
    /// <summary>The mixture of losses for any builder that has a place for a loss.</summary>
    public static class MixedLossExtensions
    {
        /// <summary>Trains on a sum of the squared error, the absolute error and log cosh of the error.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="mse">The strength of the squared error.</param>
        /// <param name="mae">The strength of the absolute error.</param>
        /// <param name="logCosh">The strength of log cosh.</param>
        public static TBuilder WithMixedLoss<TBuilder>(this TBuilder builder, double mse = 1, double mae = 0, double logCosh = 0)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLoss(new MixedLoss { Mse = mse, Mae = mae, LogCosh = logCosh });
    }
}
