using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

public class SamplerParityTests
{
    // Of the largest value of each latents tensor; correct float32 implementations differ by 6e-7.
    private const double Share = 1e-5;

    private static readonly NoiseSchedule s_schedule = NoiseSchedule.ScaledLinear();

    private static readonly Dictionary<string, ISampler> s_samplers = new()
    {
        ["ddim"] = new DdimSampler { ClipOriginal = true },
        ["ddim_noclip"] = new DdimSampler(),
        ["ddim_sdconfig"] = new DdimSampler { StepsOffset = 1, EndsAtImage = false },
        ["euler"] = new EulerSampler(),
        ["euler_sdconfig"] = new EulerSampler { Spacing = TimestepSpacing.Leading, StepsOffset = 1 },
        ["euler_karras"] = new EulerSampler { UseKarrasSigmas = true },
        ["euler_a"] = new AncestralSampler(TimestepSpacing.Linspace, 0),
        ["euler_a_sdconfig"] = new AncestralSampler(TimestepSpacing.Leading, 1),
    };

    public static TheoryData<string, string, int> Runs
    {
        get
        {
            var data = new TheoryData<string, string, int>();
            foreach (var prediction in new[] { "epsilon", "v_prediction" })
                foreach (var name in s_samplers.Keys)
                    foreach (var steps in name is "ddim" or "euler" or "euler_a" ? new[] { 10, 28 } : [10])
                        data.Add(prediction, name, steps);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void WholeWalk_AgreesWithReference(string prediction, string name, int steps)
    {
        using var golden = Golden.Open("samplers", prediction + ".safetensors");
        using var scope = NewDisposeScope();
        var (sampler, run) = (s_samplers[name], $"{name}.{steps}");
        var times = sampler.Times(s_schedule, steps);
        AssertTimes(golden, run, times);

        var expected = golden.Floats(run + ".trajectory").Chunk(2 * 4 * 4 * 6).ToArray();
        var recorded = golden.Contains(run + ".noise") ? golden[run + ".noise"] : null;   // [draws, B, C, h, w]
        var (draws, done) = (0, 0);
        var context = new SamplingContext
        {
            Schedule = s_schedule,
            Prediction = PredictionType.Parse(prediction),
            Noise = _ => recorded!.select(0, draws++),
            StepDone = step =>
            {
                Assert.Equal((++done, steps), (step.Step, step.TotalSteps));
                GoldenComparison.AssertCloseToLargest(expected[step.Step - 1], GoldenComparison.Floats(step.Latents), $"{run}, step {step.Step}", Share);
            },
        };
        var result = sampler.Sample(AnalyticModel.Predict, golden["initial_noise"] * times.InitialSigma, times, context);

        Assert.Equal(steps, done);
        Assert.Equal(recorded?.shape[0] ?? 0, draws);
        GoldenComparison.AssertCloseToLargest(expected[^1], GoldenComparison.Floats(result), run, Share);
    }

    private static void AssertTimes(Golden golden, string run, SamplingTimes times)
    {
        GoldenComparison.AssertClose([.. golden.Doubles(run + ".timesteps").Select(time => (float)time)],
            [.. times.Timesteps.Select(time => (float)time)], run + ".timesteps", absolute: 1e-6, relative: 1e-6);
        Assert.Equal(golden.Floats(run + ".init_noise_sigma")[0], times.InitialSigma, times.InitialSigma * 1e-6f);
        if (golden.Contains(run + ".sigmas")) GoldenComparison.AssertClose(golden.Floats(run + ".sigmas"), times.Sigmas, run + ".sigmas", relative: 1e-6);
        else Assert.Empty(times.Sigmas);
    }
}
