using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class SamplerTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    public static TheoryData<ISampler> Samplers => [new DdimSampler(), new DdimSampler { Eta = 1 }, new EulerSampler(), new EulerSampler { UseKarrasSigmas = true }];

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_ModelThatKnowsTheImage_ArrivesThere(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var image = randn([1, 4, 3, 3], generator: random);
        var times = sampler.Times(s_schedule, 12);
        var start = randn([1, 4, 3, 3], generator: random) * times.InitialSigma;
        var context = new SamplingContext { Schedule = s_schedule, Prediction = PredictionType.Sample, Noise = SamplingContext.NoiseFrom(random) };
        var result = sampler.Sample((_, _) => image.alias(), start, times, context);
        GoldenComparison.AssertClose(GoldenComparison.Floats(image), GoldenComparison.Floats(result), "image", absolute: 2e-6);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_LeavesOneTensorAndNoGradients(ISampler sampler)
    {
        using var outer = NewDisposeScope();
        using var random = new Generator(2);
        var times = sampler.Times(s_schedule, 5);
        var start = randn([1, 4, 2, 2], generator: random).requires_grad_(true);
        var context = new SamplingContext { Schedule = s_schedule, Noise = SamplingContext.NoiseFrom(random) };
        var before = TensorCount.Live;
        using (var result = sampler.Sample(AnalyticModel.Predict, start, times, context))
        {
            Assert.Equal(before + 1, TensorCount.Live);
            Assert.False(result.requires_grad);
        }
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Sample_CancelledInStepTwo_StopsBeforeStepThreeAndFreesItsTensors()
    {
        using var outer = NewDisposeScope();
        using var random = new Generator(2);
        using var source = new CancellationTokenSource();
        var done = 0;
        var start = randn([1, 4, 2, 2], generator: random);
        var context = new SamplingContext
        {
            Schedule = s_schedule,
            CancellationToken = source.Token,
            StepDone = step =>
            {
                done = step.Step;
                if (done == 2) source.Cancel();
            },
        };
        var sampler = new DdimSampler();
        var before = TensorCount.Live;
        Assert.Throws<OperationCanceledException>(() => sampler.Sample(AnalyticModel.Predict, start, sampler.Times(s_schedule, 10), context));
        Assert.Equal(2, done);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Sample_NoiseWantedButNotGiven_SaysSo()
    {
        using var scope = NewDisposeScope();
        var sampler = new DdimSampler { Eta = 0.5 };
        var error = Assert.Throws<InvalidOperationException>(() => sampler.Sample(AnalyticModel.Predict, ones(1, 4, 2, 2),
            sampler.Times(s_schedule, 4), new SamplingContext { Schedule = s_schedule }));
        Assert.Contains("SamplingContext.Noise", error.Message);
    }

    [Fact]
    public void Ddim_Clipping_KeepsTheImageWithinOne()
    {
        using var scope = NewDisposeScope();
        var sampler = new DdimSampler { ClipOriginal = true };
        var context = new SamplingContext { Schedule = s_schedule, Prediction = PredictionType.Sample };
        var result = sampler.Sample((x, _) => ones_like(x) * 3, ones(1, 4, 2, 2), sampler.Times(s_schedule, 4), context);
        Assert.Equal(1f, result.max().item<float>(), 1e-5f);
    }

    [Fact]
    public void Times_TooManySteps_Throw()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new DdimSampler().Times(s_schedule, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EulerSampler().Times(s_schedule, 1001));
        Assert.Contains("fewer steps", Assert.Throws<ArgumentOutOfRangeException>(() => new DdimSampler { StepsOffset = 1 }.Times(s_schedule, 1000)).Message);
    }

    [Fact]
    public void Spacings_FollowTheirFormulas()
    {
        Assert.Equal([751, 501, 251, 1], TimestepSpacing.Leading.Timesteps(4, 1000, 1));
        Assert.Equal([999, 666, 333, 0], TimestepSpacing.Linspace.Timesteps(4, 1000));
        Assert.Equal([999, 749, 499, 249], TimestepSpacing.Trailing.Timesteps(4, 1000));
        Assert.Equal([0], TimestepSpacing.Linspace.Timesteps(1, 1000));
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

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_ScheduleWithZeroTerminalSnr_StaysFinite(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var schedule = s_schedule.WithZeroTerminalSnr();
        var times = sampler.Times(schedule, 8);
        Assert.All(times.Sigmas, sigma => Assert.InRange(sigma, 0, 4096));
        var context = new SamplingContext { Schedule = schedule, Prediction = PredictionType.V, Noise = SamplingContext.NoiseFrom(random) };
        var result = sampler.Sample(AnalyticModel.Predict, randn([1, 4, 2, 2], generator: random) * times.InitialSigma, times, context);
        Assert.True(result.isfinite().all().item<bool>());
    }

    [Fact]
    public void Validate_BadOptions_AreReported()
    {
        Assert.Equal(["DdimSampler.StepsOffset", "DdimSampler.Eta"], new DdimSampler { StepsOffset = -1, Eta = 2 }.Validate().Select(problem => problem.Option));
        Assert.Equal("EulerSampler.StepsOffset", Assert.Single(new EulerSampler { StepsOffset = -1 }.Validate()).Option);
        Assert.Empty(new DdimSampler().Validate());
    }

    [Fact]
    public void Catalog_KnowsNamesAndTakesMore()
    {
        Assert.Equal(new DdimSampler(), SamplerCatalog.Default.Create("ddim"));
        Assert.Equal(new EulerSampler(), SamplerCatalog.Default.Create("k_euler"));
        Assert.Contains("ddim, euler, k_euler", Assert.Throws<ArgumentException>(() => SamplerCatalog.Default.Create("heum")).Message);
        var more = SamplerCatalog.Default.With("mine", () => new DdimSampler { Eta = 1 });
        Assert.Equal(new DdimSampler { Eta = 1 }, more.Create("mine"));
        Assert.DoesNotContain("mine", SamplerCatalog.Default.Names);
    }
}
