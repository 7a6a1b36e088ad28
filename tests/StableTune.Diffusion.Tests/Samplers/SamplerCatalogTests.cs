using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

public class SamplerCatalogTests
{
    private static SchedulerOptions Published => new() { StepsOffset = 1, SetAlphaToOne = false, TimestepSpacing = "leading" };

    public static TheoryData<string, ISampler> Names => new()
    {
        { "ddim", new DdimSampler() },
        { "pndm", new PndmSampler() },
        { "lms", new LmsSampler() },
        { "k_lms", new LmsSampler() },
        { "heun", new HeunSampler() },
        { "k_heun", new HeunSampler() },
        { "dpm_2", new Dpm2Sampler() },
        { "k_dpm_2", new Dpm2Sampler() },
        { "dpm_2_a", new Dpm2AncestralSampler() },
        { "k_dpm_2_a", new Dpm2AncestralSampler() },
        { "dpmsolver++_karras", new DpmSolverMultistepSampler { UseKarrasSigmas = true } },
        { "dpmsolver++_sde", new DpmSolverMultistepSampler { AddsNoise = true } },
        { "dpmsolver++_sde_karras", new DpmSolverMultistepSampler { AddsNoise = true, UseKarrasSigmas = true } },
        { "dpmsingle", new DpmSolverSinglestepSampler() },
        { "unipc", new UniPcSampler() },
        { "lcm", new LcmSampler() },
        { "euler", new EulerSampler() },
        { "k_euler", new EulerSampler() },
        { "euler_a", new EulerAncestralSampler() },
        { "k_euler_a", new EulerAncestralSampler() },
        { "dpmsolver", new DpmSolverMultistepSampler { IntegratesNoise = true, EndsAtImage = false } },
        { "dpmsolver++", new DpmSolverMultistepSampler() },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Create_KnownName_GivesTheSampler(string name, ISampler expected) =>
        Assert.Equal(expected, SamplerCatalog.Default.Create(name));

    [Fact]
    public void Names_AreThese() =>
        Assert.Equal(Names.Select(row => (string)row[0]).Order(StringComparer.Ordinal), SamplerCatalog.Default.Names);

    [Fact]
    public void Create_UnknownName_TellsTheNearestAndAll() => Assert.StartsWith(
        "\"eular_a\" is no known sampler. Did you mean \"euler_a\"? "
        + $"Known are: {string.Join(", ", SamplerCatalog.Default.Names)}.",
        Assert.Throws<ArgumentException>(() => SamplerCatalog.Default.Create("eular_a")).Message);

    [Fact]
    public void With_HostsSampler_IsFoundAndTheDefaultStays()
    {
        var karras = new RalstonSampler { UseKarrasSigmas = true };
        var more = SamplerCatalog.Default.With("ralston", () => new RalstonSampler()).WithScheduler("RalstonScheduler", _ => karras);
        Assert.Equal(new RalstonSampler(), more.Create("ralston"));
        Assert.Equal(new ModelSampler(karras, null), more.For(Published with { ClassName = "RalstonScheduler" }));
        Assert.DoesNotContain("ralston", SamplerCatalog.Default.Names);
        Assert.DoesNotContain("RalstonScheduler", SamplerCatalog.Default.Schedulers);
    }

    public static TheoryData<SchedulerOptions, ISampler> Schedulers => new()
    {
        { Published with { ClassName = "PNDMScheduler" }, new PndmSampler { StepsOffset = 1, EndsAtImage = false } },
        { Published with { ClassName = "PNDMScheduler", SetAlphaToOne = true, StepsOffset = 0 }, new PndmSampler() },
        { Published with { ClassName = "DDIMScheduler" }, new DdimSampler { StepsOffset = 1, EndsAtImage = false } },
        { Published with { ClassName = "DDIMScheduler", ClipSample = true, TimestepSpacing = "trailing" },
            new DdimSampler { StepsOffset = 1, EndsAtImage = false, ClipOriginal = true, Spacing = TimestepSpacing.Trailing } },
        { Published with { ClassName = "EulerDiscreteScheduler" },
            new EulerSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1 } },
        { Published with { ClassName = "EulerAncestralDiscreteScheduler", TimestepSpacing = "linspace" },
            new EulerAncestralSampler { StepsOffset = 1 } },
        { Published with { ClassName = "DPMSolverMultistepScheduler", TimestepSpacing = "linspace", StepsOffset = 0 },
            new DpmSolverMultistepSampler() },
        { Published with { ClassName = "DPMSolverMultistepScheduler", AlgorithmType = "sde-dpmsolver++", UseKarrasSigmas = true,
            TimestepSpacing = "linspace" }, new DpmSolverMultistepSampler { AddsNoise = true, UseKarrasSigmas = true, StepsOffset = 1 } },
        { Published with { ClassName = "DPMSolverMultistepScheduler", AlgorithmType = "dpmsolver", TimestepSpacing = "linspace" },
            new DpmSolverMultistepSampler { IntegratesNoise = true, EndsAtImage = false, StepsOffset = 1 } },
        { Published with { ClassName = "UniPCMultistepScheduler" },
            new UniPcSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1 } },
        { Published with { ClassName = "HeunDiscreteScheduler", ClipSample = true },
            new HeunSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1, ClipOriginal = true } },
        { Published with { ClassName = "LCMScheduler" }, new LcmSampler() },
    };

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void For_KnownScheduler_FollowsItsConfiguration(SchedulerOptions options, ISampler expected) =>
        Assert.Equal(new ModelSampler(expected, null), SamplerCatalog.Default.For(options));

    [Fact]
    public void For_UnknownScheduler_GivesDdimAndSaysWhy()
    {
        var (sampler, note) = SamplerCatalog.Default.For(Published with { ClassName = "KarrasVeScheduler" });
        Assert.Equal(new DdimSampler { StepsOffset = 1, EndsAtImage = false }, sampler);
        Assert.StartsWith("The model was published with the sampler KarrasVeScheduler, which is not known: DDIM draws in its place. "
            + "Known are: DDIMScheduler, ", note);
    }

    [Fact]
    public void For_NoSchedulerOrSpacing_SaysSo()
    {
        Assert.Equal("The model's scheduler configuration names no sampler: DDIM draws in its place.",
            SamplerCatalog.Default.For(Published).Note);
        var (sampler, note) = SamplerCatalog.Default.For(Published with { ClassName = "EulerDiscreteScheduler", TimestepSpacing = "even" });
        Assert.Equal(new EulerSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1 }, sampler);
        Assert.Equal("The model's timestep spacing is \"even\", which is not known: leading is used in its place. "
            + "Known are: leading, linspace, trailing.", note);
    }
}
