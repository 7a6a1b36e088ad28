using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

public class SamplerCatalogTests
{
    private static SchedulerOptions Published => new() { StepsOffset = 1, SetAlphaToOne = false, TimestepSpacing = "leading" };

    public static TheoryData<string, ISampler> Names => new()
    {
        { "ddim", new DdimSampler() },
        { "pndm", new PndmSampler() },
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
        + "Known are: ddim, dpmsolver, dpmsolver++, euler, euler_a, k_euler, k_euler_a, pndm.",
        Assert.Throws<ArgumentException>(() => SamplerCatalog.Default.Create("eular_a")).Message);

    [Fact]
    public void With_HostsSampler_IsFoundAndTheDefaultStays()
    {
        var karras = new HeunSampler { UseKarrasSigmas = true };
        var more = SamplerCatalog.Default.With("heun", () => new HeunSampler()).WithScheduler("HeunDiscreteScheduler", _ => karras);
        Assert.Equal(new HeunSampler(), more.Create("heun"));
        Assert.Equal(new ModelSampler(karras, null), more.For(Published with { ClassName = "HeunDiscreteScheduler" }));
        Assert.DoesNotContain("heun", SamplerCatalog.Default.Names);
        Assert.DoesNotContain("HeunDiscreteScheduler", SamplerCatalog.Default.Schedulers);
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
