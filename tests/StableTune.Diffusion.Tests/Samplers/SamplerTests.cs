using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class SamplerTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    public static TheoryData<ISampler> Samplers =>
    [
        new DdimSampler(), new DdimSampler { Eta = 1 }, new PndmSampler(), new PndmSampler { StartsWithRungeKutta = true },
        new EulerSampler(), new EulerSampler { UseKarrasSigmas = true },
        new EulerAncestralSampler(), new EulerAncestralSampler { UseKarrasSigmas = true },
        new DpmSolverMultistepSampler(), new DpmSolverMultistepSampler { UseKarrasSigmas = true },
        new DpmSolverMultistepSampler { IntegratesNoise = true }, new DpmSolverMultistepSampler { Order = 1 },
        new DpmSolverMultistepSampler { AddsNoise = true, UseKarrasSigmas = true }, new DpmSolverSinglestepSampler(),
        new HeunSampler(), new LmsSampler(), new Dpm2Sampler(), new Dpm2AncestralSampler(), new UniPcSampler(),
        new UniPcSampler { UseKarrasSigmas = true }, new LcmSampler(), new RalstonSampler(),
    ];

    private static SamplingContext Context(Generator random) => new() { Schedule = s_schedule, Noise = SamplingContext.NoiseFrom(random) };

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_ModelThatKnowsTheImage_ArrivesThere(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var image = randn([1, 4, 3, 3], generator: random);
        var times = sampler.Times(s_schedule, 12);
        var start = randn([1, 4, 3, 3], generator: random) * times.InitialSigma;
        var context = Context(random) with { Prediction = PredictionType.Sample };
        var result = sampler.Sample((_, _) => image.alias(), start, times, context);
        // A consistency model is the identity at time 0 only, and the walk ends a little before.
        var absolute = sampler is LcmSampler ? 1e-4 : 2e-6;
        GoldenComparison.AssertClose(GoldenComparison.Floats(image), GoldenComparison.Floats(result), "image", absolute);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_ModelThatBreaks_StopsAtTheStepAndLeavesNoTensor(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var times = sampler.Times(s_schedule, 12);
        var start = randn([1, 4, 3, 3], generator: random) * times.InitialSigma;
        var (calls, steps) = (0, 0);
        var context = Context(random) with { StepDone = _ => steps++ };
        var before = HeldTensors.Before();
        var fault = Assert.Throws<InvalidOperationException>(() => sampler.Sample(
            (input, _) => ++calls < 6 ? zeros_like(input) : full_like(input, float.NaN), start, times, context)).Message;
        Assert.Contains($"After step {steps + 1} of {times.Timesteps.Count} the latents are broken: 36 of 36 numbers are NaN or " +
            "infinite, the first at [0, 0, 0, 0]", fault);
        Assert.InRange(calls, 6, 9);
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_LeavesOneTensorAndNoGradients(ISampler sampler)
    {
        using var outer = NewDisposeScope();
        using var random = new Generator(2);
        var times = sampler.Times(s_schedule, 5);
        var start = randn([1, 4, 2, 2], generator: random).requires_grad_(true);
        var context = Context(random);
        var before = HeldTensors.Before();
        using (var result = sampler.Sample(AnalyticModel.Predict, start, times, context))
        {
            Assert.Equal(before + 1, TensorCount.Live);
            Assert.False(result.requires_grad);
        }
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_ModelThrowsInStepFour_FreesTheTensorsOfAllSteps(ISampler sampler)
    {
        using var outer = NewDisposeScope();
        using var random = new Generator(2);
        var done = 0;
        var start = randn([1, 4, 2, 2], generator: random);
        var context = Context(random) with { StepDone = step => done = step.Step };
        var before = HeldTensors.Before();
        var times = sampler.Times(s_schedule, 10);
        var error = Assert.Throws<InvalidOperationException>(() => sampler.Sample(
            (x, time) => done < 3 ? AnalyticModel.Predict(x, time) : throw new InvalidOperationException("the model broke"), start, times,
                context));
        Assert.Equal("the model broke", error.Message);
        Assert.Equal(3, done);
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_Twice_GivesTheSame(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        var start = ones(1, 4, 2, 2);
        var times = sampler.Times(s_schedule, 6);
        Assert.Equal(Walk(), Walk());

        float[] Walk()
        {
            using var random = new Generator(5);
            using var result = sampler.Sample(AnalyticModel.Predict, start, times, Context(random));
            return GoldenComparison.Floats(result);
        }
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_LaterPartOfTheTimes_ArrivesAtTheImage(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var image = randn([1, 4, 3, 3], generator: random);
        var times = sampler.Times(s_schedule, 12);
        var later = times with { Timesteps = [.. times.Timesteps.Skip(7)], Sigmas = [.. times.Sigmas.Skip(7)] };
        var context = Context(random) with { Prediction = PredictionType.Sample };
        var result = sampler.Sample((_, _) => image.alias(), randn([1, 4, 3, 3], generator: random), later, context);
        GoldenComparison.AssertClose(GoldenComparison.Floats(image), GoldenComparison.Floats(result), "image", absolute: 2e-6);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_OneStep_ArrivesAtTheImage(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(2);
        var image = randn([1, 4, 3, 3], generator: random);
        var times = sampler.Times(s_schedule, 1);
        var context = Context(random) with { Prediction = PredictionType.Sample };
        var result = sampler.Sample((_, _) => image.alias(), randn([1, 4, 3, 3], generator: random) * times.InitialSigma, times, context);
        GoldenComparison.AssertClose(GoldenComparison.Floats(image), GoldenComparison.Floats(result), "image", absolute: 2e-6);
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    public void Sample_CancelledInStepTwo_StopsBeforeStepThreeAndFreesItsTensors(ISampler sampler)
    {
        using var outer = NewDisposeScope();
        using var random = new Generator(2);
        using var source = new CancellationTokenSource();
        var done = 0;
        var start = randn([1, 4, 2, 2], generator: random);
        var times = sampler.Times(s_schedule, 10);
        var context = Context(random) with
        {
            CancellationToken = source.Token,
            StepDone = step =>
            {
                done = step.Step;
                if (done == 2) source.Cancel();
            },
        };
        var before = HeldTensors.Before();
        Assert.Throws<OperationCanceledException>(() => sampler.Sample(AnalyticModel.Predict, start, times, context));
        Assert.Equal(2, done);
        Assert.Equal(before, TensorCount.Live);
    }

    public static TheoryData<ISampler> NoisySamplers => [new DdimSampler { Eta = 0.5 }, new EulerAncestralSampler()];

    [Theory]
    [MemberData(nameof(NoisySamplers))]
    public void Sample_NoiseWantedButNotGiven_SaysSo(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        var before = HeldTensors.Before();
        var error = Assert.Throws<InvalidOperationException>(() => sampler.Sample(AnalyticModel.Predict, ones(1, 4, 2, 2),
            sampler.Times(s_schedule, 4), new SamplingContext { Schedule = s_schedule }));
        Assert.Contains("SamplingContext.Noise", error.Message);
        Assert.Equal(before + 1, TensorCount.Live);   // the start
    }

    [Theory]
    [MemberData(nameof(NoisySamplers))]
    public void Noise_IsDrawnForTheIntervalOfEachStep(ISampler sampler)
    {
        using var scope = NewDisposeScope();
        List<(double From, double To)> intervals = [];
        var context = new SamplingContext
        {
            Schedule = s_schedule,
            Noise = (like, from, to) =>
            {
                intervals.Add((from, to));
                return zeros_like(like);
            },
        };
        var times = sampler.Times(s_schedule, 5);
        sampler.Sample(AnalyticModel.Predict, ones(1, 4, 2, 2), times, context);

        var table = new SigmaTable(s_schedule);
        Assert.Equal(times.Timesteps.Select(time => (float)table.At(time)), intervals.Select(interval => (float)interval.From));
        Assert.Equal(intervals.Skip(1).Select(interval => interval.From).Append(0), intervals.Select(interval => interval.To));
    }

    [Fact]
    public void Noise_OfTheLevelsAlone_MakesAWalkThatNeedsNoGenerator()
    {
        using var scope = NewDisposeScope();
        var context = new SamplingContext { Schedule = s_schedule, Noise = (like, from, to) =>
            full_like(like, Math.Sin(from) + Math.Cos(to)) };
        var sampler = new EulerAncestralSampler();
        Assert.Equal(Walk(), Walk());

        float[] Walk() => GoldenComparison.Floats(
            sampler.Sample(AnalyticModel.Predict, ones(1, 4, 2, 2), sampler.Times(s_schedule, 5), context));
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
    public void Names_AreThoseThatPicturesCarry() => Assert.Equal(
        [
            "DDIM", "DDIM", "PLMS", "PNDM", "Euler", "Euler Karras", "Euler a", "Euler a Karras",
            "DPM++ 2M", "DPM++ 2M Karras", "DPM 2M", "DPM++ 1M", "DPM++ 2M SDE Karras", "DPM++ 2S", "Heun", "LMS",
            "DPM2", "DPM2 a", "UniPC", "UniPC Karras", "LCM", "Ralston",
        ],
        ((IEnumerable<object[]>)Samplers).Select(row => ((ISampler)row[0]).Name));

    [Theory]
    [InlineData(1, 0.4, 0.6)]
    [InlineData(2, 0.2, 0.35)]
    public void DpmSolver_TwiceTheSteps_DivideTheErrorByItsOrder(int order, double least, double most)
    {
        // Levels that are even in λ, so that one step size counts; float32 sets an end to what can be seen.
        var sampler = new DpmSolverMultistepSampler { Order = order, LowersOrderAtEnd = false };
        var exact = Walked(sampler with { Order = 2 }, 512);
        var ratio = Math.Abs(Walked(sampler, 32) - exact) / Math.Abs(Walked(sampler, 16) - exact);
        Assert.InRange(ratio, least, most);

        static double Walked(DpmSolverMultistepSampler sampler, int steps)
        {
            using var scope = NewDisposeScope();
            var sigmas = Enumerable.Range(0, steps + 1).Select(i => (float)(10 * Math.Pow(0.01, i / (double)steps))).ToArray();
            var times = new SamplingTimes { Timesteps = [.. Enumerable.Range(0, steps).Select(i => 999.0 - i)], Sigmas = sigmas };
            var context = new SamplingContext { Schedule = s_schedule, Prediction = PredictionType.Sample };
            // A model that sees tanh(x) in latents of variance 1.
            var start = full([1, 1, 1, 1], 3.0, dtype: ScalarType.Float64);
            return sampler.Sample((x, _) => x.tanh(), start, times, context).item<double>();
        }
    }

    [Fact]
    public void Sample_TimesOfAnotherKindOfSampler_AreRefused()
    {
        using var scope = NewDisposeScope();
        var times = new DdimSampler().Times(s_schedule, 4);
        var context = new SamplingContext { Schedule = s_schedule };
        var error = Assert.Throws<ArgumentException>(() =>
            new EulerSampler().Sample(AnalyticModel.Predict, ones(1, 4, 2, 2), times, context));
        Assert.StartsWith("Euler needs one noise level more than timesteps, but there are 0 levels for 4 timesteps.", error.Message);
    }

    [Fact]
    public void Step_ThatGivesBackItsLatents_IsCarried()
    {
        using var outer = NewDisposeScope();
        var start = ones(1, 4, 2, 2);
        var context = new SamplingContext { Schedule = s_schedule };
        var before = HeldTensors.Before();
        using (var result = new Standing().Sample(AnalyticModel.Predict, start, new Standing().Times(s_schedule, 3), context))
            Assert.Equal(GoldenComparison.Floats(start), GoldenComparison.Floats(result));
        Assert.Equal(before, TensorCount.Live);
    }

    private sealed record Standing : SigmaSampler
    {
        public override string Name => "standing";

        protected override Tensor Step(SigmaStep step)
        {
            // The history holds what belongs to the walk, under a handle of its own.
            step.History.Add(step.Latents, keep: 2);
            step.HistoryOf("others").Add(step.Latents, keep: 1);
            Assert.Equal((Math.Min(2, step.Index + 1), 1), (step.History.Count, step.HistoryOf("others").Count));
            return step.Latents;
        }
    }

    [Theory]
    [MemberData(nameof(Samplers))]
    [MemberData(nameof(TrailingSamplers))]
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

    public static TheoryData<ISampler> TrailingSamplers =>
    [
        new DdimSampler { Spacing = TimestepSpacing.Trailing }, new DdimSampler { Spacing = TimestepSpacing.Trailing, Eta = 1 },
        new PndmSampler { Spacing = TimestepSpacing.Trailing },
        new PndmSampler { Spacing = TimestepSpacing.Trailing, StartsWithRungeKutta = true },
        new EulerSampler { Spacing = TimestepSpacing.Trailing }, new DpmSolverMultistepSampler { Spacing = TimestepSpacing.Trailing },
    ];

    [Fact]
    public void Validate_BadOptions_AreReported()
    {
        Assert.Equal(["DdimSampler.StepsOffset", "DdimSampler.Eta"],
            new DdimSampler { StepsOffset = -1, Eta = 2 }.Validate().Select(problem => problem.Option));
        Assert.Equal("EulerSampler.StepsOffset", Assert.Single(new EulerSampler { StepsOffset = -1 }.Validate()).Option);
        Assert.Equal("PndmSampler.Spacing", Assert.Single(new PndmSampler { Spacing = null! }.Validate()).Option);
        Assert.Equal(["DpmSolverMultistepSampler.Spacing", "DpmSolverMultistepSampler.Order"],
            new DpmSolverMultistepSampler { Spacing = null!, Order = 3 }.Validate().Select(problem => problem.Option));
        Assert.Empty(new DdimSampler().Validate());
    }
}
