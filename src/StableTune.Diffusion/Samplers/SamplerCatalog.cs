namespace StableTune.Samplers;

/// <summary>
/// Samplers by the names that configuration files and sample prompts use, and by the schedulers that models are published with. Immutable:
/// a host that adds its own gets another catalogue.
/// </summary>
public sealed class SamplerCatalog
{
    private readonly Catalog<ISampler> _samplers;
    private readonly Catalog<Func<SchedulerOptions, ISampler>> _schedulers;

    private SamplerCatalog(Catalog<ISampler> samplers, Catalog<Func<SchedulerOptions, ISampler>> schedulers) =>
        (_samplers, _schedulers) = (samplers, schedulers);

    /// <summary>The samplers that come with StableTune, each with its defaults.</summary>
    public static SamplerCatalog Default { get; } = new SamplerCatalog(new("sampler"), new("scheduler"))
        .With("ddim", () => new DdimSampler())
        .With("pndm", () => new PndmSampler())
        .With(["lms", "k_lms"], () => new LmsSampler())
        .With(["euler", "k_euler"], () => new EulerSampler())
        .With(["euler_a", "k_euler_a"], () => new EulerAncestralSampler())
        .With(["heun", "k_heun"], () => new HeunSampler())
        .With(["dpm_2", "k_dpm_2"], () => new Dpm2Sampler())
        .With(["dpm_2_a", "k_dpm_2_a"], () => new Dpm2AncestralSampler())
        .With("dpmsolver", () => new DpmSolverMultistepSampler { IntegratesNoise = true, EndsAtImage = false })
        .With("dpmsolver++", () => new DpmSolverMultistepSampler())
        .With("dpmsolver++_karras", () => new DpmSolverMultistepSampler { UseKarrasSigmas = true })
        .With("dpmsolver++_sde", () => new DpmSolverMultistepSampler { AddsNoise = true })
        .With("dpmsolver++_sde_karras", () => new DpmSolverMultistepSampler { AddsNoise = true, UseKarrasSigmas = true })
        .With("dpmsingle", () => new DpmSolverSinglestepSampler())
        .With("unipc", () => new UniPcSampler())
        .With("lcm", () => new LcmSampler())
        .WithScheduler("DDIMScheduler", options => new DdimSampler
        {
            Spacing = SpacingOf(options), StepsOffset = options.StepsOffset, EndsAtImage = options.SetAlphaToOne,
            ClipOriginal = options.ClipSample,
        })
        .WithScheduler("PNDMScheduler", options => new PndmSampler
        {
            Spacing = SpacingOf(options), StepsOffset = options.StepsOffset, EndsAtImage = options.SetAlphaToOne,
        })
        .WithScheduler("LMSDiscreteScheduler", options => Placed(new LmsSampler(), options))
        .WithScheduler("EulerDiscreteScheduler", options => Placed(new EulerSampler(), options))
        .WithScheduler("EulerAncestralDiscreteScheduler", options => Placed(new EulerAncestralSampler(), options))
        .WithScheduler("HeunDiscreteScheduler", options => Placed(new HeunSampler { ClipOriginal = options.ClipSample }, options))
        .WithScheduler("KDPM2DiscreteScheduler", options => Placed(new Dpm2Sampler(), options))
        .WithScheduler("KDPM2AncestralDiscreteScheduler", options => Placed(new Dpm2AncestralSampler(), options))
        .WithScheduler("DPMSolverMultistepScheduler", options => Placed(new DpmSolverMultistepSampler
        {
            IntegratesNoise = options.AlgorithmType == "dpmsolver", EndsAtImage = options.AlgorithmType != "dpmsolver",
            AddsNoise = options.AlgorithmType.StartsWith("sde-", StringComparison.Ordinal),
        }, options))
        .WithScheduler("DPMSolverSinglestepScheduler", options => Placed(new DpmSolverSinglestepSampler(), options))
        .WithScheduler("UniPCMultistepScheduler", options => Placed(new UniPcSampler(), options))
        .WithScheduler("LCMScheduler", _ => new LcmSampler());

    /// <summary>The known names, sorted.</summary>
    public IEnumerable<string> Names => _samplers.Names;

    /// <summary>The known schedulers of models, by the names of their classes, sorted.</summary>
    public IEnumerable<string> Schedulers => _schedulers.Names;

    /// <summary>This catalogue with one more name, or with another sampler under a name.</summary>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public SamplerCatalog With(string name, Func<ISampler> create) => new(_samplers.With(name, create), _schedulers);

    /// <summary>This catalogue with a sampler for one more kind of scheduler, or with another one for a kind.</summary>
    /// <param name="className">The class as <c>scheduler_config.json</c> names it, such as "HeunDiscreteScheduler".</param>
    /// <param name="create">Makes the sampler that does what the configuration says.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public SamplerCatalog WithScheduler(string className, Func<SchedulerOptions, ISampler> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        return new(_samplers, _schedulers.With(className, () => create));
    }

    /// <summary>The sampler with this name, with its defaults.</summary>
    /// <exception cref="ArgumentException">No sampler has this name; the message has the known ones and the nearest.</exception>
    public ISampler Create(string name) => _samplers.Create(name);

    /// <summary>
    /// The sampler that a model was published with. A scheduler that is not known is replaced by DDIM, which takes the same model, and the
    /// note says so.
    /// </summary>
    /// <param name="options">The model's scheduler configuration.</param>
    public ModelSampler For(SchedulerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var name = options.ClassName;
        var known = _schedulers.Contains(name);
        var sampler = _schedulers.Create(known ? name : "DDIMScheduler")(options);
        var unknown = known ? null
            : name.Length == 0 ? $"The model's scheduler configuration names no sampler: {sampler.Name} draws in its place."
            : $"The model was published with the sampler {ShortText.Of(name)}, which is not known: {sampler.Name} draws in its place. "
            + $"Known are: {string.Join(", ", Schedulers)}.";
        var spacing = IsKnown(options.TimestepSpacing) ? null
            : $"The model's timestep spacing is \"{ShortText.Of(options.TimestepSpacing)}\", which is not known: "
            + $"{SpacingOf(options)} is used in its place. Known are: {string.Join(", ", TimestepSpacing.Known)}.";
        return new ModelSampler(sampler, unknown is null || spacing is null ? unknown ?? spacing : $"{unknown} {spacing}");
    }

    private SamplerCatalog With(ReadOnlySpan<string> names, Func<ISampler> create)
    {
        var catalog = this;
        foreach (var name in names) catalog = catalog.With(name, create);
        return catalog;
    }

    private static SigmaSampler Placed(SigmaSampler sampler, SchedulerOptions options) => sampler with
    {
        Spacing = SpacingOf(options), StepsOffset = options.StepsOffset, UseKarrasSigmas = options.UseKarrasSigmas,
    };

    private static bool IsKnown(string spacing) => TimestepSpacing.Known.Any(known => known.Name == spacing);

    private static TimestepSpacing SpacingOf(SchedulerOptions options) =>
        IsKnown(options.TimestepSpacing) ? TimestepSpacing.Parse(options.TimestepSpacing) : TimestepSpacing.Leading;
}

/// <summary>The sampler of a model's own scheduler configuration.</summary>
/// <param name="Sampler">The sampler, set as the configuration says.</param>
/// <param name="Note">What of the configuration is not known, and what is used in its place; null when all is known.</param>
public sealed record ModelSampler(ISampler Sampler, string? Note);
