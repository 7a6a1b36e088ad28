using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Every recorded walk for which there is a sampler, set as the record's own configuration says.</summary>
public class SamplerParityTests
{
    // Of the largest value of each latents tensor; correct float32 implementations differ by 6e-7.
    private const double Share = 1e-5;

    public static TheoryData<string, string, int> Runs
    {
        get
        {
            var data = new TheoryData<string, string, int>();
            foreach (var run in SamplerCase.All) data.Add(run.Prediction, run.Name, run.Steps);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void WholeWalk_AgreesWithReference(string prediction, string name, int steps)
    {
        var run = SamplerCase.Find(prediction, name, steps);
        using var golden = run.Open();
        using var scope = NewDisposeScope();
        var sampler = run.Sampler();
        var times = sampler.Times(run.Schedule, steps);
        var reference = new Reference(run, golden);
        reference.AssertTimes(times);

        var recorded = run.Draws > 0 ? golden[run.Run + ".noise"] : null;   // [draws, B, C, h, w]
        var (calls, draws, done) = (0, 0, 0);
        var context = new SamplingContext
        {
            Schedule = run.Schedule,
            Prediction = PredictionType.Parse(prediction),
            Noise = (_, from, to) =>
            {
                AssertInterval(times, done, from, to);
                return recorded!.select(0, draws++);
            },
            StepDone = step =>
            {
                Assert.Equal((++done, steps), (step.Step, step.TotalSteps));
                reference.AssertAfterCall(calls, step.Latents, times.Sigmas.Count > 0 ? times.Sigmas[done] : 0, $"after step {done}");
            },
        };
        var result = sampler.Sample((input, time) =>
        {
            reference.AssertCall(calls++, input, time);
            return AnalyticModel.Predict(input, time);
        }, golden["initial_noise"] * times.InitialSigma, times, context);

        Assert.Equal((steps, run.Draws), (done, draws));
        reference.AssertAfterCall(calls, result, times.Sigmas.Count > 0 ? times.Sigmas[^1] : 0, "at the end");
        reference.AssertAllCalled(calls);
    }

    [Fact]
    public void Runs_CoverEveryScheduler()
    {
        // The seam is proven by what the fixtures hold: a list that shrank would prove less and still be green.
        string[] names =
        [
            "ddim", "ddim_eta1", "ddim_eta1_clip", "ddim_noclip", "ddim_sdconfig", "dpm_2", "dpm_2_a", "dpm_2_karras", "dpmsingle",
            "dpmsolver", "dpmsolver++", "dpmsolver++_karras", "dpmsolver++_sde", "dpmsolver++_sde_karras",
            "euler", "euler_a", "euler_a_sdconfig", "euler_karras", "euler_sdconfig", "heun", "heun_karras", "heun_noclip",
            "lcm", "lcm_original100", "lms", "lms_karras", "pndm", "pndm_sdconfig", "unipc", "unipc_bh1", "unipc_karras", "unipc_sdconfig",
        ];
        Assert.Equal(names, SamplerCase.All.Select(run => run.Name).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(90, SamplerCase.All.Count());
    }

    [Fact]
    public void HostsSampler_IsTheOneOfTheDocumentation()
    {
        string Read(params string[] path) => File.ReadAllText(Path.Combine([Fixtures.Repository, .. path])).ReplaceLineEndings("\n");
        var source = Read("tests", "StableTune.Diffusion.Tests", "Support", "RalstonSampler.cs");
        Assert.Contains("```csharp\n" + source[source.IndexOf("public sealed record", StringComparison.Ordinal)..] + "```\n",
            Read("docs", "sampling.md"));
    }

    private static void AssertInterval(SamplingTimes times, int step, double from, double to)
    {
        Assert.True(from > to && to >= 0, $"noise from {from} to {to}");
        if (times.Sigmas.Count == 0) return;
        Assert.Equal((times.Sigmas[step], times.Sigmas[step + 1]), ((float)from, (float)to));
    }

    /// <summary>What the reference recorded: one latents tensor and one time for each call of the model.</summary>
    private sealed class Reference
    {
        private readonly SamplerCase _run;
        private readonly double[] _times;
        private readonly float[]? _sigmas;
        private readonly float[][] _trajectory;
        private readonly float[] _start;
        private readonly float _initialSigma;

        internal Reference(SamplerCase run, Golden golden)
        {
            _run = run;
            _times = golden.Doubles(run.Run + ".timesteps");
            _sigmas = golden.Contains(run.Run + ".sigmas") ? golden.Floats(run.Run + ".sigmas") : null;
            var whole = golden.Floats(run.Run + ".trajectory");
            _trajectory = [.. whole.Chunk(whole.Length / _times.Length)];
            _initialSigma = golden.Floats(run.Run + ".init_noise_sigma")[0];
            _start = [.. golden.Floats("initial_noise").Select(value => value * _initialSigma)];
        }

        /// <summary>Levels and start; the times are compared as the model is asked at them.</summary>
        internal void AssertTimes(SamplingTimes times)
        {
            if (_sigmas is null) Assert.Empty(times.Sigmas);
            else GoldenComparison.AssertClose([.. Distinct(_sigmas)], times.Sigmas, _run.Run + ".sigmas", relative: 1e-6);
            var expected = _run.KeepsVariance && _sigmas is not null ? Math.Sqrt((double)_sigmas[0] * _sigmas[0] + 1) : _initialSigma;
            Assert.Equal(expected, times.InitialSigma, expected * 1e-6);
        }

        /// <summary>What the model is given: latents scaled to variance 1, and the time.</summary>
        internal void AssertCall(int call, Tensor input, double time)
        {
            var name = $"{_run.Run}, call {call}";
            GoldenComparison.AssertClose([(float)_times[call]], [(float)time], name + ", time", absolute: 1e-5, relative: 1e-6);
            var latents = call == 0 ? _start : _trajectory[call - 1];
            var divisor = _run.KeepsVariance ? 1 : Math.Sqrt(Level(call) * Level(call) + 1);
            var expected = latents.Select(value => (float)(value / divisor)).ToArray();
            GoldenComparison.AssertCloseToLargest(expected, GoldenComparison.Floats(input), name, Share);
        }

        /// <summary>The noise level of a call: DPM2's second calls lie in the middle of the way, of which only the ends are
        /// recorded.</summary>
        private double Level(int call)
        {
            double level = _sigmas![call];
            if (call % 2 == 0) return level;
            return _run.Class switch
            {
                "KDPM2DiscreteScheduler" => Math.Sqrt(_sigmas[call - 1] * level),
                "KDPM2AncestralDiscreteScheduler" => Math.Sqrt(_sigmas[call - 1] * (level * level / _sigmas[call - 1])),
                _ => level,
            };
        }

        /// <summary>Latents where the sampler says that a step is done, or the result.</summary>
        internal void AssertAfterCall(int calls, Tensor latents, double sigma, string when)
        {
            var divisor = _run.KeepsVariance ? Math.Sqrt(sigma * sigma + 1) : 1;
            var actual = GoldenComparison.Floats(latents / divisor);
            GoldenComparison.AssertCloseToLargest(_trajectory[calls - 1], actual, $"{_run.Run}, {when}", Share);
        }

        internal void AssertAllCalled(int calls) => Assert.Equal(_times.Length, calls);

        /// <summary>Levels without the repetitions of methods that call the model twice a step.</summary>
        private static IEnumerable<float> Distinct(float[] sigmas) =>
            sigmas.Where((sigma, index) => index == 0 || !sigma.Equals(sigmas[index - 1]));
    }
}
