using StableTune.Losses;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Losses and weightings beyond the references, against their formulas in double precision.</summary>
public sealed class MixedLossTests
{
    private static readonly double[] s_errors = [0, 1e-3, -0.1, 0.7, -3, 20, -500];

    [Fact]
    public void LogCosh_IsItsFormula_AndItsGradientTheHyperbolicTangent()
    {
        using var scope = NewDisposeScope();
        var predicted = Errors().requires_grad_(true);
        var loss = PerElement(new LogCoshLoss(), predicted);
        // cosh overflows long before 500: there log cosh d is |d| - log 2.
        double Expected(double d) => Math.Abs(d) > 300 ? Math.Abs(d) - Math.Log(2) : Math.Log(Math.Cosh(d));
        GoldenComparison.AssertClose([.. s_errors.Select(d => (float)Expected(d))], GoldenComparison.Floats(loss), "loss", 1e-7, 1e-6);
        loss.sum().backward();
        GoldenComparison.AssertClose([.. s_errors.Select(d => (float)Math.Tanh(d))], GoldenComparison.Floats(predicted.grad!), "gradient",
            1e-6, 1e-6);
    }

    [Fact]
    public void Mixed_IsTheSumOfItsParts()
    {
        using var scope = NewDisposeScope();
        float[] Of(ILoss loss) => GoldenComparison.Floats(PerElement(loss, Errors()));
        var (mse, mae, logCosh) = (Of(new MseLoss()), Of(new L1Loss()), Of(new LogCoshLoss()));
        var mixed = Of(new MixedLoss { Mse = 0.5, Mae = 2, LogCosh = 0.25 });
        GoldenComparison.AssertClose([.. mse.Select((one, i) => (0.5f * one) + (2 * mae[i]) + (0.25f * logCosh[i]))], mixed, "sum",
            relative: 1e-6);
        Assert.Equal(mae, Of(new MixedLoss { Mse = 0, Mae = 1 }));
        Assert.Equal(mse, Of(new MixedLoss()));
    }

    [Fact]
    public void Validate_ImpossibleStrengths_NamesThem()
    {
        Assert.Equal(["MixedLoss.Mse", "MixedLoss.Mae", "MixedLoss.LogCosh"],
            new MixedLoss { Mse = -1, Mae = double.NaN, LogCosh = double.PositiveInfinity }.Validate().Select(problem => problem.Option));
        Assert.Contains("all strengths are 0", Assert.Single(new MixedLoss { Mse = 0 }.Validate()).ToString());
        Assert.Equal(["P2Weighting.K", "P2Weighting.Gamma"], new P2Weighting { K = 0, Gamma = -1 }.Validate().Select(p => p.Option));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 0.5)]
    public void P2_IsItsFormulaAtEveryTimestep(double k, double gamma)
    {
        using var scope = NewDisposeScope();
        var schedule = NoiseSchedule.ScaledLinear().WithZeroTerminalSnr();
        var weights = new P2Weighting { K = k, Gamma = gamma }.Weights(schedule, PredictionType.V, arange(1000, dtype: ScalarType.Int64));
        GoldenComparison.AssertClose([.. schedule.SignalToNoise.Select(snr => (float)Math.Pow(k + snr, -gamma))],
            GoldenComparison.Floats(weights), "weights", relative: 1e-6);
    }

    [Fact]
    public void Misfit_IsToldByModelsThatAWeightingIsNotFor()
    {
        Assert.Contains("predicts epsilon", new ScaledVelocityWeighting().Misfit(PredictionType.Epsilon));
        Assert.Null(new ScaledVelocityWeighting().Misfit(PredictionType.V));
        Assert.NotNull(new VelocityLikeWeighting().Misfit(PredictionType.V));
        Assert.Null(new VelocityLikeWeighting().Misfit(PredictionType.Epsilon));
        Assert.Null(((ILossWeighting)new MinSnrWeighting()).Misfit(PredictionType.V));
    }

    [Fact]
    public void WeightingSchedule_TakesTheRatiosFromThere()
    {
        using var scope = NewDisposeScope();
        var plain = NoiseSchedule.ScaledLinear();
        var timesteps = tensor(new long[] { 999 }, [1], dtype: ScalarType.Int64);
        float Loss(NoiseSchedule? weighting) => new DiffusionLoss { Weightings = [new MinSnrWeighting()] }.Compute(new LossInputs
        {
            Predicted = ones(1, 1, 1, 1), Target = zeros(1, 1, 1, 1), Timesteps = timesteps, Schedule = plain.WithZeroTerminalSnr(),
            Prediction = PredictionType.V, WeightingSchedule = weighting,
        }).Mean.item<float>();
        Assert.Equal(0, Loss(null));
        Assert.Equal(plain.SignalToNoise[999] / (plain.SignalToNoise[999] + 1), Loss(plain), 1e-8f);
    }

    private static Tensor Errors() =>
        tensor(s_errors.Select(d => (float)d).ToArray(), [1, 1, 1, s_errors.Length], dtype: ScalarType.Float32);

    private static Tensor PerElement(ILoss loss, Tensor predicted) => loss.PerElement(
        predicted, zeros_like(predicted), NoiseSchedule.ScaledLinear(), zeros([1], dtype: ScalarType.Int64));
}
