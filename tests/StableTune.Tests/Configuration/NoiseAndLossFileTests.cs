using StableTune.Configuration;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Tests.Configuration;

/// <summary>Noise, timesteps, losses and schedules as options: read, written, and told of where they have no effect.</summary>
public sealed class NoiseAndLossFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void NoiseOptions_GiveTheLayers()
    {
        var plan = Parse("--noise_offset 0.1 --noise_offset_random_strength --adaptive_noise_scale 0.05 --multires_noise_iterations 8 "
            + "--multires_noise_discount 0.2 --ip_noise_gamma 0.15 --ip_noise_gamma_random_strength --zero_terminal_snr").Builder.Plan;
        Assert.Equal(new InputPerturbation
        {
            Gamma = 0.15, RandomStrength = true, Inner = new MultiResolutionNoise
            {
                Iterations = 8, Discount = 0.2, Inner = new OffsetNoise { Offset = 0.1, RandomStrength = true, AdaptiveScale = 0.05 },
            },
        }, plan.Noise);
        Assert.True(plan.ZeroTerminalSnr);
        Assert.Equal(new NormalNoise(), Parse("--noise_offset 0 --multires_noise_iterations 0 --ip_noise_gamma 0").Builder.Plan.Noise);
    }

    public static TheoryData<string, ITimestepSource> Timesteps() => new()
    {
        { "--timestep_sampling uniform --min_timestep 5", new UniformTimesteps { Min = 5 } },
        { "--timestep_sampling logit-normal --logit_mean 0.5 --logit_std 2 --min_timestep 100 --max_timestep 900",
            new LogitNormalTimesteps { Mean = 0.5, Std = 2, Min = 100, Max = 900 } },
        { "--timestep_sampling sigmoid --sigmoid_scale 1.5", new SigmoidTimesteps { Scale = 1.5 } },
        { "--timestep_sampling mode --mode_scale 0.5 --step_range 0.5,1.0", new ModeTimesteps { Scale = 0.5, Min = 500 } },
        { "--timestep_sampling cosmap", new CosMapTimesteps() },
        { "--timestep_sampling inverted_parabola --timestep_sampling_args weight=6 bias=0.1",
            new InvertedParabolaTimesteps { Weight = 6, Bias = 0.1 } },
        { "--timestep_sampling beta --timestep_sampling_args alpha=3 beta=1.5 --max_timestep 800",
            new BetaTimesteps { Alpha = 3, Beta = 1.5, Max = 800 } },
    };

    [Theory]
    [MemberData(nameof(Timesteps))]
    public void TimestepOptions_GiveTheDistribution_AndComeBack(string options, ITimestepSource expected)
    {
        var read = Parse(options);
        Assert.Equal(expected, read.Builder.Plan.Timesteps);
        ComesBack(Begin().WithTimesteps(expected));
    }

    public static TheoryData<LrScheduleOptions> Schedules() =>
    [
        new LinearScheduleOptions { Warmup = Warmup.Ratio(1) },
        new LinearScheduleOptions { Warmup = Warmup.Steps(1) },
        new CosineScheduleOptions { Waves = 1.5 },
        new CosineWithRestartsScheduleOptions { Cycles = 3, Warmup = Warmup.Steps(10) },
        new CosineWithMinLrScheduleOptions { MinRatio = 0.1, Cycles = 2 },
        new PolynomialScheduleOptions { Power = 2, EndRate = 1e-6, Warmup = Warmup.Ratio(0.1) },
        new InverseSqrtScheduleOptions { Timescale = 50 },
        new WarmupStableDecayScheduleOptions
        {
            Warmup = Warmup.Steps(5), Decay = Warmup.Ratio(0.2), MinRatio = 0.1, DecayType = RampShape.OneMinusRoot,
            WarmupType = RampShape.Cosine,
        },
        new PiecewiseConstantScheduleOptions { StepRules = StepRules.Parse("1:10,0.1:20,0.01") },
        new PointsScheduleOptions { Points = CurvePoints.Parse("0:0, 10%:1, 1.0:0.1") },
        new RexScheduleOptions { Warmup = Warmup.Ratio(0.05) },
        new PlateauScheduleOptions { Metric = PlateauMetric.AverageLoss, EveryNSteps = 50, Factor = 0.5, Patience = 3, MinRatio = 0.01 },
        new StepLrScheduleOptions { StepSize = 100, Gamma = 0.5 },
        new MultiStepLrScheduleOptions { Milestones = [5, 12] },
        new ExponentialLrScheduleOptions { Gamma = 0.99 },
        new CosineAnnealingLrScheduleOptions { TMax = 15, EtaMin = 1e-6 },
        new CosineWarmRestartsScheduleOptions { T0 = 10, TMult = 2 },
    ];

    [Theory]
    [MemberData(nameof(Schedules))]
    public void Schedules_ComeBack(LrScheduleOptions schedule) => ComesBack(Begin().WithSchedule(schedule));

    [Fact]
    public void AScheduleThatOptionsCannotSay_IsRefusedByName() => Assert.Contains("lr_scheduler is \"FunctionScheduleOptions\"",
        Assert.Throws<InvalidOptionsException>(() => Begin().WithSchedule(new FunctionScheduleOptions((_, _) => 1)).ToToml()).Message,
        StringComparison.Ordinal);

    [Fact]
    public void NoiseAndLosses_ComeBack()
    {
        ComesBack(Begin().WithNoiseOffset(0.05, 0.01, true).WithMultiResolutionNoise(7, 0.8).WithInputPerturbation(0.2, true)
            .WithZeroTerminalSnr().WithMinSnr(3).WithDebiasedEstimation().WithP2Weighting(0.5, 2)
            .WithMixedLoss(mse: 0.5, mae: 0.25, logCosh: 0.25));
        ComesBack(Begin().WithLogCoshLoss().WithP2Weighting());
        ComesBack(Begin().WithNoiseOffset(0.05).WithSmoothL1Loss());
    }

    [Theory]
    [InlineData("--noise_offset_random_strength", "noise_offset_random_strength is not looked at without noise_offset")]
    [InlineData("--multires_noise_discount 0.2", "multires_noise_discount is not looked at without multires_noise_iterations")]
    [InlineData("--ip_noise_gamma_random_strength", "ip_noise_gamma_random_strength is not looked at without ip_noise_gamma")]
    [InlineData("--logit_std 2", "logit_std is not looked at, because timestep_sampling is uniform")]
    [InlineData("--timestep_sampling sigmoid --mode_scale 1", "mode_scale is not looked at, because timestep_sampling is sigmoid")]
    [InlineData("--p2_k 2", "p2_k is not looked at without p2_gamma")]
    [InlineData("--zero_terminal_snr", "suits models that predict velocity")]
    public void WhatHasNoEffect_IsTold(string options, string told) =>
        Assert.Contains(Parse(options).Notes, note => note.Contains(told, StringComparison.Ordinal));

    [Theory]
    [InlineData("--timestep_sampling gauss", "timestep_sampling", "logit_normal")]
    [InlineData("--timestep_sampling beta --timestep_sampling_args gamma=1", "timestep_sampling_args", "alpha")]
    [InlineData("--weighting_scheme mode", "weighting_scheme", "timestep_sampling")]
    [InlineData("--loss_type mixed --loss_args mse", "loss_args", "key=value")]
    [InlineData("--loss_type mixed --loss_args huber=1", "loss_args", "log_cosh")]
    [InlineData("--lr_scheduler warmup_stable_decay --lr_scheduler_args decay_type=round", "lr_scheduler_args", "1-sqrt")]
    [InlineData("--lr_scheduler StepLR --lr_warmup_steps 5", "lr_warmup_steps", "StepLR has no warm-up")]
    public void WhatCannotBe_IsRefused_WithWhatToDo(string options, string name, string told)
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => Parse(options));
        Assert.Contains(fault.Problems, problem => problem.Option.Contains(name, StringComparison.Ordinal)
            && problem.ToString().Contains(told, StringComparison.Ordinal));
    }

    [Fact]
    public void AHostsDistribution_IsReachedByItsName()
    {
        var catalogs = new RunCatalogs { Timesteps = TimestepCatalog.Default.With("late", () => new Late()) };
        string[] words = [.. OptionNameTests.Base(RunScript.Network), "--timestep_sampling", "late"];
        Assert.Equal(new Late(), RunConfiguration.Parse(words, catalogs: catalogs).Builder.Plan.Timesteps);
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            RunConfiguration.Parse([.. words, "--min_timestep", "5"], catalogs: catalogs));
        Assert.Contains("has no range", fault.Message, StringComparison.Ordinal);
    }

    private sealed record Late : OptionsBase, ITimestepSource
    {
        public Tensor Draw(int count, Generator generator) => full([count], 999, dtype: ScalarType.Int64);
    }

    private TrainerBuilder Begin() => new TrainerBuilder().WithModel("model").WithImages(_folder.Folder("img"), 64).WithLoRA(4)
        .SaveTo(Path.Combine("out", "frog.safetensors"));

    private void ComesBack(TrainerBuilder builder)
    {
        var path = _folder.File("run.toml");
        File.WriteAllText(path, builder.ToToml());
        var read = TrainerBuilder.FromToml(path, RunScript.Network).Plan;
        foreach (var (one, other) in new (object, object)[] { (read.Noise, builder.Plan.Noise), (read.Timesteps, builder.Plan.Timesteps),
            (read.Loss, builder.Plan.Loss), (read.Schedule, builder.Plan.Schedule) })
            Assert.Empty(PlanComparison.Differences(one, other));
        Assert.Equal(builder.Plan.ZeroTerminalSnr, read.ZeroTerminalSnr);
    }

    private static RunConfiguration Parse(string options) =>
        RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network), .. options.Split(' ')]);
}
