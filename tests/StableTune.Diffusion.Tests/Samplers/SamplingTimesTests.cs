using StableTune.Samplers;

namespace StableTune.Diffusion.Tests;

/// <summary>Where samplers place their times and noise levels.</summary>
public class SamplingTimesTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    public static TheoryData<ISampler, int> OutOfRange => new()
    {
        { new DdimSampler(), 0 }, { new DdimSampler(), 1001 }, { new PndmSampler(), 0 }, { new PndmSampler { StepsOffset = 1 }, 1000 },
        { new EulerSampler(), -1 }, { new EulerSampler(), 1001 }, { new EulerAncestralSampler(), 1001 },
        // One time more is placed and left out: the end of the process.
        { new DpmSolverMultistepSampler(), 0 }, { new DpmSolverMultistepSampler(), 1000 },
        { new DpmSolverMultistepSampler { Spacing = TimestepSpacing.Trailing }, 1001 },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Times_StepsThatDoNotFit_Throw(ISampler sampler, int steps) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Times(s_schedule, steps));

    [Theory]
    [InlineData(999, "linspace")]
    [InlineData(999, "leading")]
    [InlineData(1000, "trailing")]
    public void Times_MostSteps_AreWholeAndDistinct(int steps, string spacing)
    {
        var times = new DpmSolverMultistepSampler { Spacing = TimestepSpacing.Parse(spacing) }.Times(s_schedule, steps).Timesteps;
        Assert.Equal(steps, times.Distinct().Count());
        Assert.All(times, time => Assert.Equal(Math.Floor(time), time));
    }

    public static TheoryData<SigmaSampler> KarrasSamplers =>
    [
        new EulerSampler { UseKarrasSigmas = true }, new EulerAncestralSampler { UseKarrasSigmas = true },
        new DpmSolverMultistepSampler { UseKarrasSigmas = true }, new HeunSampler { UseKarrasSigmas = true },
        new DpmSolverMultistepSampler { UseKarrasSigmas = true, Spacing = TimestepSpacing.Leading, StepsOffset = 1 },
    ];

    [Theory]
    [MemberData(nameof(KarrasSamplers))]
    public void Times_Karras_EndAtZero(SigmaSampler sampler)
    {
        var times = sampler.Times(s_schedule, 20);
        Assert.Equal(0, times.Sigmas[^1]);
        Assert.Equal(times.Sigmas.OrderDescending(), times.Sigmas);
        Assert.Equal(21, times.Sigmas.Distinct().Count());
    }

    [Fact]
    public void DpmSolver_EndsWhereItIsTold()
    {
        var table = new SigmaTable(s_schedule);
        Assert.Equal((float)table.Least, new DpmSolverMultistepSampler { EndsAtImage = false }.Times(s_schedule, 5).Sigmas[^1]);
        Assert.Equal(0, new DpmSolverMultistepSampler { IntegratesNoise = true }.Times(s_schedule, 5).Sigmas[^1]);
    }

    [Fact]
    public void Times_OffsetThatLeavesTheSchedule_TellsWhatToDo()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new DdimSampler { StepsOffset = 1 }.Times(s_schedule, 1000));
        Assert.Contains("fewer steps", error.Message);
    }

    [Fact]
    public void Spacings_FollowTheirFormulas()
    {
        Assert.Equal([751, 501, 251, 1], TimestepSpacing.Leading.Timesteps(4, 1000, 1));
        Assert.Equal([999, 666, 333, 0], TimestepSpacing.Linspace.Timesteps(4, 1000));
        Assert.Equal([999, 749, 499, 249], TimestepSpacing.Trailing.Timesteps(4, 1000));
        Assert.Equal([0], TimestepSpacing.Linspace.Timesteps(1, 1000));
        Assert.Equal([801, 601, 401, 201], TimestepSpacing.Leading.WholeTimesteps(4, 1000, 1));
        Assert.Equal([999, 749, 500, 250], TimestepSpacing.Linspace.WholeTimesteps(4, 1000));
        Assert.Equal([999, 749, 499, 249], TimestepSpacing.Trailing.WholeTimesteps(4, 1000));
    }

    [Fact]
    public void Spacings_AreFoundByName()
    {
        Assert.All(TimestepSpacing.Known, spacing => Assert.Same(spacing, TimestepSpacing.Parse(spacing.Name)));
        Assert.Contains("leading, linspace, trailing", Assert.Throws<ArgumentException>(() => TimestepSpacing.Parse("even")).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(417.25)]
    [InlineData(998.5)]
    [InlineData(999)]
    public void SigmaTable_TimeOfALevel_LeadsBack(double time)
    {
        var table = new SigmaTable(s_schedule);
        // One way interpolates levels, the other logarithms: between whole times they differ by a little.
        Assert.Equal(time, table.TimeOf(table.At(time)), time == Math.Floor(time) ? 1e-4 : 1e-2);
    }
}
