using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class PredictionTypeTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    public static TheoryData<string> Names => [.. PredictionType.Known.Select(kind => kind.Name)];

    [Theory]
    [InlineData("epsilon", "epsilon")]
    [InlineData("v_prediction", "v_prediction")]
    [InlineData("v", "v_prediction")]
    [InlineData("sample", "sample")]
    public void Parse_KnownName_GivesItsKind(string name, string expected) => Assert.Equal(expected, PredictionType.Parse(name).Name);

    [Fact]
    public void Parse_UnknownName_ListsTheKnownOnes()
    {
        var error = Assert.Throws<ArgumentException>(() => PredictionType.Parse("velocity"));
        Assert.Contains("velocity", error.Message);
        Assert.Contains("epsilon, v_prediction, sample", error.Message);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void PerfectPrediction_GivesBackImageAndNoise(string name)
    {
        using var scope = NewDisposeScope();
        var prediction = PredictionType.Parse(name);
        using var random = new Generator(1);
        var latents = randn([2, 4, 3, 5], generator: random);
        var noise = randn([2, 4, 3, 5], generator: random);
        var timesteps = full([2], 400, dtype: ScalarType.Int64);
        var noisy = s_schedule.AddNoise(latents, noise, timesteps);
        var answer = prediction.Target(s_schedule, latents, noise, timesteps);
        double alpha = s_schedule.AlphasCumprod[400];

        GoldenComparison.AssertClose(GoldenComparison.Floats(latents), GoldenComparison.Floats(prediction.Original(noisy, answer, alpha)),
            "original", 1e-5);
        GoldenComparison.AssertClose(GoldenComparison.Floats(noise), GoldenComparison.Floats(prediction.Noise(noisy, answer, alpha)),
            "noise", 1e-5);
        var sigma = Math.Sqrt((1 - alpha) / alpha);
        var spread = noisy * Math.Sqrt(sigma * sigma + 1);   // x0 + sigma noise
        GoldenComparison.AssertClose(GoldenComparison.Floats(latents),
            GoldenComparison.Floats(prediction.OriginalAtSigma(spread, answer, sigma)), "original at sigma", 1e-5);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ErrorScale_IsTheRatioOfSquaredErrors(string name)
    {
        using var scope = NewDisposeScope();
        var prediction = PredictionType.Parse(name);
        var x = zeros(1);
        var (right, wrong) = (zeros(1), ones(1));
        double alpha = s_schedule.AlphasCumprod[300];
        var imageError = (prediction.Original(x, wrong, alpha) - prediction.Original(x, right, alpha)).pow(2).item<float>();
        var scale = prediction.ErrorScale(tensor(new[] { s_schedule.SignalToNoise[300] }, [1L], dtype: ScalarType.Float32)).item<float>();
        Assert.Equal(1 / imageError, scale, scale * 1e-5f);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Target_IsAFreshTensor(string name)
    {
        using var scope = NewDisposeScope();
        var latents = ones(1, 4, 2, 2);
        var noise = zeros(1, 4, 2, 2);
        var target = PredictionType.Parse(name).Target(s_schedule, latents, noise, zeros(1, dtype: ScalarType.Int64));
        target.Dispose();
        Assert.Equal(16f, latents.sum().item<float>() + noise.sum().item<float>());
    }
}
