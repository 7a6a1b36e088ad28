using System.Text.Json;
using StableTune.Samplers;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>One run of the sampler fixtures: a sampler as the recorded configuration says, a kind of prediction and a number of
/// steps.</summary>
internal sealed class SamplerCase
{
    private readonly JsonElement _config;

    private SamplerCase(string file, JsonElement entry, string name, string prediction, int steps)
    {
        (File, Name, Prediction, Steps) = (file, name, prediction, steps);
        (Class, Note) = (entry.GetProperty("class").GetString()!, entry.GetProperty("note").GetString()!);
        _config = entry.GetProperty("config_" + prediction);
        Draws = entry.GetProperty("draws_per_run").GetProperty($"{prediction}.{steps}").GetInt32();
    }

    public string File { get; }
    public string Name { get; }
    public string Prediction { get; }
    public int Steps { get; }
    public string Class { get; }
    public string Note { get; }
    public int Draws { get; }

    /// <summary>The beginning of the names of its tensors.</summary>
    public string Run => $"{Name}.{Steps}";

    /// <summary>Whether the reference's latents are √ᾱ x₀ + √(1 - ᾱ) ε, as in training, and not x₀ + σ ε.</summary>
    public bool KeepsVariance =>
        Class is "DDIMScheduler" or "PNDMScheduler" or "LCMScheduler" or "UniPCMultistepScheduler"
        || Class.StartsWith("DPMSolver", StringComparison.Ordinal);

    public NoiseSchedule Schedule => NoiseSchedule.From(new SchedulerOptions
    {
        TrainTimesteps = _config.GetProperty("num_train_timesteps").GetInt32(), BetaSchedule = Text("beta_schedule"),
        BetaStart = _config.GetProperty("beta_start").GetDouble(), BetaEnd = _config.GetProperty("beta_end").GetDouble(),
    });

    /// <summary>All runs.</summary>
    public static IEnumerable<SamplerCase> All => new[] { "samplers.json", "samplers_more.json" }.SelectMany(Read);

    public static SamplerCase Find(string prediction, string name, int steps) =>
        All.Single(run => (run.Prediction, run.Name, run.Steps) == (prediction, name, steps));

    public Golden Open() => Golden.Open("samplers", (File == "samplers.json" ? "" : "more_") + Prediction + ".safetensors");

    /// <summary>The sampler that does what the configuration says.</summary>
    public ISampler Sampler() => Class switch
    {
        "DDIMScheduler" => new DdimSampler
        {
            Spacing = Spacing, StepsOffset = Offset, EndsAtImage = Flag("set_alpha_to_one"), ClipOriginal = Flag("clip_sample"),
            Eta = Note.Contains("eta=1.0", StringComparison.Ordinal) ? 1 : 0,
        },
        "PNDMScheduler" => new PndmSampler
        {
            Spacing = Spacing, StepsOffset = Offset, EndsAtImage = Flag("set_alpha_to_one"), StartsWithRungeKutta = !Flag("skip_prk_steps"),
        },
        "EulerDiscreteScheduler" => new EulerSampler { Spacing = Spacing, StepsOffset = Offset,
            UseKarrasSigmas = Flag("use_karras_sigmas") },
        "EulerAncestralDiscreteScheduler" => new EulerAncestralSampler { Spacing = Spacing, StepsOffset = Offset },
        "LMSDiscreteScheduler" => new LmsSampler { Spacing = Spacing, StepsOffset = Offset,
            UseKarrasSigmas = Flag("use_karras_sigmas") },
        "KDPM2DiscreteScheduler" => new Dpm2Sampler { Spacing = Spacing, StepsOffset = Offset,
            UseKarrasSigmas = Flag("use_karras_sigmas") },
        "KDPM2AncestralDiscreteScheduler" => new Dpm2AncestralSampler { Spacing = Spacing, StepsOffset = Offset,
            UseKarrasSigmas = Flag("use_karras_sigmas") },
        "DPMSolverMultistepScheduler" => new DpmSolverMultistepSampler
        {
            Spacing = Spacing, StepsOffset = Offset, UseKarrasSigmas = Flag("use_karras_sigmas"),
            Order = _config.GetProperty("solver_order").GetInt32(), IntegratesNoise = Text("algorithm_type") == "dpmsolver",
            AddsNoise = Text("algorithm_type") == "sde-dpmsolver++",
            LowersOrderAtEnd = Flag("lower_order_final"), EndsAtImage = Text("final_sigmas_type") == "zero",
        },
        // Its times are spread in one way only.
        "DPMSolverSinglestepScheduler" => new DpmSolverSinglestepSampler { UseKarrasSigmas = Flag("use_karras_sigmas") },
        "HeunDiscreteScheduler" => new HeunSampler
        {
            Spacing = Spacing, StepsOffset = Offset, UseKarrasSigmas = Flag("use_karras_sigmas"), ClipOriginal = Flag("clip_sample"),
        },
        "UniPCMultistepScheduler" => new UniPcSampler
        {
            Spacing = Spacing, StepsOffset = Offset, UseKarrasSigmas = Flag("use_karras_sigmas"),
            Order = _config.GetProperty("solver_order").GetInt32(), UsesPlainStep = Text("solver_type") == "bh1",
            LowersOrderAtEnd = Flag("lower_order_final"), EndsAtImage = Text("final_sigmas_type") == "zero",
        },
        "LCMScheduler" => new LcmSampler { OriginalSteps = _config.GetProperty("original_inference_steps").GetInt32() },
        _ => throw new InvalidOperationException($"There is no sampler for {Class} of {File}."),
    };

    private TimestepSpacing Spacing => TimestepSpacing.Parse(Text("timestep_spacing"));

    private int Offset => _config.GetProperty("steps_offset").GetInt32();

    private string Text(string key) => _config.GetProperty(key).GetString()!;

    private bool Flag(string key) => _config.GetProperty(key).GetBoolean();

    private static IEnumerable<SamplerCase> Read(string file)
    {
        // Python writes infinities, which JSON does not know; no sampler asks for that entry.
        var text = System.IO.File.ReadAllText(Fixtures.Path("samplers", file)).Replace("-Infinity", "null", StringComparison.Ordinal);
        using var document = JsonDocument.Parse(text);
        foreach (var sampler in document.RootElement.GetProperty("samplers").EnumerateObject())
        {
            var entry = sampler.Value.Clone();
            foreach (var run in entry.GetProperty("draws_per_run").EnumerateObject().Select(run => run.Name.Split('.')))
                yield return new SamplerCase(file, entry, sampler.Name, run[0], int.Parse(run[1]));
        }
    }
}
