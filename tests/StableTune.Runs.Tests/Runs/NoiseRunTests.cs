using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Noise, timesteps and the noise schedule as options of a run.</summary>
public sealed class NoiseRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void NoiseLayers_ChangeWhatIsLearnt_AndAreToldInTheFile()
    {
        var before = TinyRun.HeldBefore();
        var plain = TinyRun.Builder(_folder, "plain").Train();
        var changed = TinyRun.Builder(_folder, "changed").WithNoiseOffset(0.1, 0.02, randomStrength: true).WithMultiResolutionNoise(7, 0.4)
            .WithInputPerturbation(0.2, randomStrength: true).WithTimesteps(new BetaTimesteps { Alpha = 3, Min = 100, Max = 900 }).Train();
        Assert.NotEqual(plain.Losses, changed.Losses);
        var metadata = TinyRun.Metadata(changed.Files[0]);
        Assert.Equal(("0.1", "True", "0.02", "7", "0.4", "0.2", "True", "False"), (metadata["ss_noise_offset"],
            metadata["ss_noise_offset_random_strength"], metadata["ss_adaptive_noise_scale"], metadata["ss_multires_noise_iterations"],
            metadata["ss_multires_noise_discount"], metadata["ss_ip_noise_gamma"], metadata["ss_ip_noise_gamma_random_strength"],
            metadata["ss_zero_terminal_snr"]));
        Assert.Equal("100,900", metadata["modelspec.timestep_range"]);
        Assert.Equal("None", TinyRun.Metadata(plain.Files[0])["ss_noise_offset"]);
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void ZeroTerminalSnr_OfASavedModel_IsKnownWhenItIsLoaded()
    {
        var folder = _folder.File("out", "model");
        var result = TinyRun.Bare(_folder).WithImages(TinyRun.Images(_folder), 64).WithZeroTerminalSnr()
            .Change(plan => plan with { Trainables = [], Savers = [] }).WithFullTraining().SaveTo(folder)
            .For(TrainingLength.Steps(1)).Train();
        Assert.Contains(result.Warnings, warning => warning.Contains("ZeroTerminalSnr", StringComparison.Ordinal));
        using var model = ModelLoader.Load(folder, new ModelLoadOptions { Parts = ModelParts.UNet });
        Assert.True(model.Scheduler.RescaleBetasZeroSnr);
        Assert.Equal(0f, NoiseSchedule.From(model.Scheduler).AlphasCumprod[^1]);
    }

    [Fact]
    public void ZeroTerminalSnr_TrainsAndDrawsByTheSchedule_AndTheHostsModelIsLeftAsItWas()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        // With no noise and nothing of the picture left, the UNet is asked for nothing but zeros.
        var network = new Asked(model.UNet);
        TrainerBuilder Run(bool zero) => TinyRun.Builder(_folder, $"run-{zero}").WithModel(model).WithZeroTerminalSnr(zero)
            .WithNetwork(network).WithNoise(new NoNoise()).WithTimesteps(new UniformTimesteps { Min = 999 }).For(TrainingLength.Steps(1));
        Run(false).Train();
        Assert.True(network.Largest > 0);
        TextToImageOptions prompt = new() { Width = 64, Height = 64, Steps = 2, Seed = 3 };
        byte[] Drawn(bool zero)
        {
            var samples = _folder.File($"samples-{zero}");
            Run(zero).Overwrite()
                .WithSamples(new SampleOptions { Folder = samples, Before = true, After = false, Prompts = [prompt] }).Train();
            return File.ReadAllBytes(Directory.GetFiles(samples).Single(file => !file.Contains("sheet", StringComparison.Ordinal)));
        }

        var plain = Drawn(false);
        Assert.NotEqual(plain, Drawn(true));
        Assert.Equal(0, network.Largest);
        Assert.False(model.Scheduler.RescaleBetasZeroSnr);
        using (var kept = Run(true).Overwrite().KeepModel().Train()) Assert.True(kept.Model!.Scheduler.RescaleBetasZeroSnr);
    }

    [Fact]
    public void ZeroTerminalSnr_WeighsByTheRatiosOfBefore()
    {
        double Loss(bool weighted)
        {
            var builder = TinyRun.Builder(_folder, $"weighted-{weighted}").WithZeroTerminalSnr()
                .WithTimesteps(new UniformTimesteps { Min = 999 }).For(TrainingLength.Steps(1));
            return (weighted ? builder.WithDebiasedEstimation() : builder).Train().Losses[0];
        }

        var snr = NoiseSchedule.ScaledLinear().SignalToNoise[999];
        Assert.Equal(1 / Math.Sqrt(snr), Loss(true) / Loss(false), 1e-3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Build_AWeightingThatDoesNotSuitTheModel_IsNamed(bool given)
    {
        using var model = given ? ModelLoader.Load(SmallRun.Model(_folder)) : null;
        var builder = TinyRun.Builder(_folder).WithVelocityLossScaledLikeNoise();
        if (model is not null) builder.WithModel(model);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems);
        Assert.Equal("TrainingPlan.Loss", problem.Option);
        Assert.Contains("predicts epsilon", problem.Rule, StringComparison.Ordinal);
    }

    [Fact]
    public void MinSnrWithDebiased_IsWarnedOf() => Assert.Contains(
        TinyRun.Builder(_folder).WithMinSnr().WithDebiasedEstimation().For(TrainingLength.Steps(1)).Train().Warnings,
        warning => warning.Contains("MinSnrWeighting and DebiasedWeighting", StringComparison.Ordinal));

    [Fact]
    public void Validation_LooksWithinTheRangeOfAnyDistribution()
    {
        var images = TinyRun.Images(_folder);
        File.Copy(Path.Combine(images, "0.png"), Path.Combine(images, "held.png"), overwrite: true);
        double Measured(ITimestepSource source, string name)
        {
            var observer = new Measure();
            TinyRun.Bare(_folder, name).WithDataset(new DatasetBuilder().AddFolder(images)
                    .WithOptions(new() { Resolution = new(64, 64), BatchSize = 2, ValidationSplit = 0.2 }))
                .WithLearningRate(0, unet: 1e-12).WithTimesteps(source).For(TrainingLength.Steps(1)).WithObserver(observer)
                .WithValidation(new ValidationOptions { EveryNSteps = 1 }).Train();
            return observer.Loss;
        }

        var uniform = Measured(new UniformTimesteps { Min = 900 }, "uniform");
        Assert.Equal(uniform, Measured(new CosMapTimesteps { Min = 900 }, "cosmap"), 1e-7);
        Assert.NotEqual(uniform, Measured(new CosMapTimesteps(), "all"), 1e-3);
    }

    private sealed record NoNoise : OptionsBase, INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator) => zeros_like(latents);
    }

    private sealed class Asked(IDenoisingNetwork inner) : IDenoisingNetwork
    {
        public double Largest { get; private set; }

        public bool TakesAddedConditions => inner.TakesAddedConditions;

        public bool TakesMask => inner.TakesMask;

        public Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions)
        {
            Largest = latents.abs().max().item<float>();
            return inner.Predict(latents, timesteps, conditions);
        }
    }

    private sealed class Measure : ITrainingObserver
    {
        public double Loss { get; private set; }

        public void OnValidation(TrainingValidation validation) => Loss = validation.Loss;
    }
}
