using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class NoiseScheduleTests
{
    // Tables are float32 in the reference's order of operations.
    private const double Relative = 1e-6;

    [Fact]
    public void ScaledLinear_Defaults_AgreeWithReferenceTables()
    {
        using var golden = Golden.Open("diffusion", "schedule.safetensors");
        var schedule = NoiseSchedule.ScaledLinear();
        Assert.Equal(1000, schedule.Count);
        GoldenComparison.AssertClose(golden.Floats("betas"), schedule.Betas, "betas", relative: Relative);
        GoldenComparison.AssertClose(golden.Floats("alphas_cumprod"), schedule.AlphasCumprod, "alphas_cumprod", relative: Relative);
        GoldenComparison.AssertClose(golden.Floats("snr"), schedule.SignalToNoise, "snr", relative: Relative);
    }

    [Fact]
    public void WithZeroTerminalSnr_AgreesWithReferenceTables()
    {
        using var golden = Golden.Open("diffusion", "schedule.safetensors");
        var schedule = NoiseSchedule.ScaledLinear().WithZeroTerminalSnr();
        Assert.Equal(0f, schedule.AlphasCumprod[^1]);
        Assert.Equal(0f, schedule.SignalToNoise[^1]);
        GoldenComparison.AssertClose(golden.Floats("zero_terminal.betas"), schedule.Betas, "betas", relative: Relative);
        GoldenComparison.AssertClose(golden.Floats("zero_terminal.alphas_cumprod"), schedule.AlphasCumprod, "alphas_cumprod",
            relative: Relative);
        GoldenComparison.AssertClose(golden.Floats("zero_terminal.snr"), schedule.SignalToNoise, "snr", relative: Relative);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("zero_terminal.", true)]
    public void AddNoiseAndVelocity_AgreeWithReference(string prefix, bool zeroTerminal)
    {
        using var golden = Golden.Open("diffusion", "noising.safetensors");
        using var scope = NewDisposeScope();
        var schedule = zeroTerminal ? NoiseSchedule.ScaledLinear().WithZeroTerminalSnr() : NoiseSchedule.ScaledLinear();
        var (latents, noise, timesteps) = (golden["latents"], golden["noise"], golden["timesteps"]);
        golden.AssertWithin(prefix + "noisy", schedule.AddNoise(latents, noise, timesteps), absolute: 1e-6, relative: Relative);
        golden.AssertWithin(prefix + "velocity", schedule.Velocity(latents, noise, timesteps), absolute: 1e-6, relative: Relative);
    }

    [Fact]
    public void AddNoise_BFloat16Latents_KeepTheirTypeAndFloat32Accuracy()
    {
        using var golden = Golden.Open("diffusion", "noising.safetensors");
        using var scope = NewDisposeScope();
        var (latents, noise, timesteps) = (golden["latents"], golden["noise"], golden["timesteps"]);
        var noisy = NoiseSchedule.ScaledLinear().AddNoise(latents.to(ScalarType.BFloat16), noise, timesteps);
        Assert.Equal(ScalarType.BFloat16, noisy.dtype);
        golden.AssertWithin("noisy", noisy.to(ScalarType.Float32), absolute: 1e-2, relative: 1.0 / 128);   // two roundings to 8 bits
    }

    [Fact]
    public void SnrAndAlphas_PickTheTimestepsOfTheBatch()
    {
        using var scope = NewDisposeScope();
        var schedule = NoiseSchedule.ScaledLinear();
        var timesteps = tensor(new long[] { 999, 0, 500 }, [3], dtype: ScalarType.Int64);
        Assert.Equal([schedule.SignalToNoise[999], schedule.SignalToNoise[0], schedule.SignalToNoise[500]],
            GoldenComparison.Floats(schedule.Snr(timesteps)));
        Assert.Equal([schedule.AlphasCumprod[999], schedule.AlphasCumprod[0], schedule.AlphasCumprod[500]],
            GoldenComparison.Floats(schedule.AlphasCumprodAt(timesteps)));
    }

    [Fact]
    public void Linear_EndsAtTheGivenBetas()
    {
        var schedule = NoiseSchedule.Linear(0.001, 0.02, 10);
        Assert.Equal(0.001f, schedule.Betas[0], 1e-9f);
        Assert.Equal(0.02f, schedule.Betas[^1], 1e-8f);
        Assert.Equal(0.999f, schedule.AlphasCumprod[0], 1e-6f);
    }

    [Theory]
    [InlineData(0, 0.012, 1000)]
    [InlineData(0.00085, 1, 1000)]
    [InlineData(double.NaN, 0.012, 1000)]
    [InlineData(0.00085, 0.012, 0)]
    public void ScaledLinear_ImpossibleArguments_Throw(double start, double end, int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => NoiseSchedule.ScaledLinear(start, end, count));

    [Fact]
    public void From_Sd15Configuration_IsTheScaledLinearSchedule() =>
        Assert.Equal(NoiseSchedule.ScaledLinear().AlphasCumprod, NoiseSchedule.From(SchedulerOptions.Sd15).AlphasCumprod);

    [Fact]
    public void From_OtherConfigurations_FollowThem()
    {
        Assert.Equal(NoiseSchedule.Linear(0.001, 0.02, 100).Betas,
            NoiseSchedule.From(new SchedulerOptions { BetaSchedule = "linear", BetaStart = 0.001, BetaEnd = 0.02,
                TrainTimesteps = 100 }).Betas);
        Assert.Equal(0f, NoiseSchedule.From(new SchedulerOptions { RescaleBetasZeroSnr = true }).AlphasCumprod[^1]);
        Assert.Equal([0.1f, 0.2f], NoiseSchedule.From(new SchedulerOptions { TrainedBetas = [0.1, 0.2], TrainTimesteps = 2 }).Betas);
        var cosine = NoiseSchedule.From(new SchedulerOptions { BetaSchedule = "squaredcos_cap_v2" });
        Assert.Equal(0.999f, cosine.Betas[^1]);
        Assert.Equal(0.5f, cosine.AlphasCumprod[499], 0.02f);   // half way, cos² is about a half
    }

    [Fact]
    public void From_UnknownBetaSchedule_NamesTheOption() =>
        Assert.Equal("SchedulerOptions.BetaSchedule",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
                NoiseSchedule.From(new SchedulerOptions { BetaSchedule = "steep" })).Problems).Option);
}
