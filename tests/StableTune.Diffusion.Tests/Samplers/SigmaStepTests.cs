using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class SigmaStepTests
{
    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    [Fact]
    public void Denoised_TellsTheModelTheTimeOfTheLevel()
    {
        // At the ends of a step the times of the walk, which need not be the table's (Karras times of solvers are rounded); else the
        // table's.
        var table = new SigmaTable(s_schedule);
        var asked = Asked(new DpmSolverMultistepSampler { UseKarrasSigmas = true }.Times(s_schedule, 4), step =>
        {
            step.Denoised();
            step.Denoised(step.Latents, step.To);
            step.Denoised(step.Latents, Math.Sqrt(step.From * Math.Max(step.To, 0.01)));
            step.Denoised(step.Latents, step.From, 123.5);
        });
        var times = new DpmSolverMultistepSampler { UseKarrasSigmas = true }.Times(s_schedule, 4);
        var between = (float)table.TimeOf(Math.Sqrt((double)times.Sigmas[1] * times.Sigmas[2]));
        Assert.Equal([times.Timesteps[1], times.Timesteps[2], between, 123.5], asked.Skip(4).Take(4));
        Assert.Equal([times.Timesteps[3], 0], asked.Skip(12).Take(2));
    }

    [Fact]
    public void Denoised_ModelOfTheImage_SeesLatentsOfVarianceOne()
    {
        using var scope = NewDisposeScope();
        List<float> inputs = [];
        var sampler = new Asking(step => Assert.Equal([4f, 4f], GoldenComparison.Floats(step.Denoised(full([1, 1, 1, 2], 10.0), 3))));
        sampler.Sample((x, _) =>
        {
            inputs.AddRange(GoldenComparison.Floats(x));
            return full_like(x, 4.0);
        }, ones(1, 1, 1, 2), sampler.Times(s_schedule, 1),
            new SamplingContext { Schedule = s_schedule, Prediction = PredictionType.Sample });
        Assert.Equal([(float)(10 / Math.Sqrt(10)), (float)(10 / Math.Sqrt(10))], inputs);
    }

    [Fact]
    public void Denoised_NegativeLevel_IsRefused() => Asked(new EulerSampler().Times(s_schedule, 2),
        step => Assert.Throws<ArgumentOutOfRangeException>(() => step.Denoised(step.Latents, -1)));

    [Fact]
    public void Step_KnowsWhereItStands()
    {
        var times = new EulerSampler().Times(s_schedule, 3);
        List<(int, int, double, double?, double, double)> steps = [];
        Asked(times, step => steps.Add((step.Index, step.Count, step.Time, step.NextTime, step.From, step.To)));
        Assert.Equal(
            [
                (0, 3, 999, 499.5, times.Sigmas[0], times.Sigmas[1]), (1, 3, 499.5, 0, times.Sigmas[1], times.Sigmas[2]),
                (2, 3, 0, null, times.Sigmas[2], 0),
            ], steps);
    }

    /// <summary>The times at which the model was asked.</summary>
    private static List<double> Asked(SamplingTimes times, Action<SigmaStep> ask)
    {
        using var scope = NewDisposeScope();
        List<double> asked = [];
        new Asking(ask).Sample((x, time) =>
        {
            asked.Add(time);
            return x.alias();
        }, ones(1, 1, 2, 2), times, new SamplingContext { Schedule = s_schedule });
        return asked;
    }

    private sealed record Asking(Action<SigmaStep> Ask) : SigmaSampler
    {
        public override string Name => "asking";

        protected override Tensor Step(SigmaStep step)
        {
            Ask(step);
            return step.Latents.alias();
        }
    }
}
