using StableTune.Losses;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class LossWeightingTests
{
    public static TheoryData<string, string, ILossWeighting> Cases
    {
        get
        {
            var data = new TheoryData<string, string, ILossWeighting>
            {
                { "debiased.epsilon", "epsilon", new DebiasedWeighting() },
                { "debiased.v", "v", new DebiasedWeighting() },
                { "scale_v_like_noise", "v", new ScaledVelocityWeighting() },
                { "v_pred_like_0.5", "epsilon", new VelocityLikeWeighting { Weight = 0.5 } },
            };
            foreach (var gamma in new[] { 1, 5, 20 })
            {
                data.Add($"min_snr_{gamma}.epsilon", "epsilon", new MinSnrWeighting { Gamma = gamma });
                data.Add($"min_snr_{gamma}.v", "v", new MinSnrWeighting { Gamma = gamma });
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Weights_AgreeWithReferenceAtEveryTimestep(string name, string prediction, ILossWeighting weighting)
    {
        using var golden = Golden.Open("diffusion", "loss_weights.safetensors");
        using var scope = NewDisposeScope();
        golden.AssertWithin(name, All(weighting, NoiseSchedule.ScaledLinear(), prediction), relative: 1e-6);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Weights_ZeroTerminalSnr_AreFiniteEverywhere(string name, string prediction, ILossWeighting weighting)
    {
        using var golden = Golden.Open("diffusion", "loss_weights.safetensors");
        using var scope = NewDisposeScope();
        var actual = GoldenComparison.Floats(All(weighting, NoiseSchedule.ScaledLinear().WithZeroTerminalSnr(), prediction));
        Assert.All(actual, weight => Assert.True(float.IsFinite(weight) && weight >= 0));
        // The last timestep is where the reference divides by 0.
        GoldenComparison.AssertClose(golden.Floats("zero_terminal." + name)[..999], actual[..999], name, relative: 1e-6);
    }

    [Fact]
    public void MinSnr_NoSignalAtAll_WeighsNoiseByOneAndVelocityByZero()
    {
        using var scope = NewDisposeScope();
        var schedule = NoiseSchedule.ScaledLinear().WithZeroTerminalSnr();
        Assert.Equal(1f, GoldenComparison.Floats(All(new MinSnrWeighting(), schedule, "epsilon"))[^1]);
        Assert.Equal(0f, GoldenComparison.Floats(All(new MinSnrWeighting(), schedule, "v"))[^1]);
    }

    [Theory]
    [InlineData("constant", 0.1, 1.0)]
    [InlineData("exponential", 0.1, 1.0)]
    [InlineData("snr", 0.1, 1.0)]
    [InlineData("constant", 0.05, 2.0)]
    [InlineData("exponential", 0.05, 2.0)]
    [InlineData("snr", 0.05, 2.0)]
    public void HuberThreshold_AgreesWithReference(string name, double c, double scale)
    {
        using var golden = Golden.Open("diffusion", "loss_weights.safetensors");
        using var scope = NewDisposeScope();
        var threshold = HuberSchedule.Parse(name).Threshold(NoiseSchedule.ScaledLinear(), arange(1000, dtype: ScalarType.Int64), c, scale);
        golden.AssertWithin(FormattableString.Invariant($"huber_threshold.{name}.c{c}.scale{scale:0.0}"), threshold, relative: 1e-6);
    }

    [Fact]
    public void Parse_UnknownHuberSchedule_ListsTheKnownOnes() =>
        Assert.Contains("constant, exponential, snr", Assert.Throws<ArgumentException>(() => HuberSchedule.Parse("cosine")).Message);

    private static Tensor All(ILossWeighting weighting, NoiseSchedule schedule, string prediction) =>
        weighting.Weights(schedule, PredictionType.Parse(prediction), arange(1000, dtype: ScalarType.Int64));
}
