using StableTune.Diffusion;

namespace StableTune;

/// <summary>Distributions of timesteps by name (<c>timestep_sampling</c>).</summary>
public static class TimestepCatalog
{
    /// <summary>The distributions that come with StableTune, each with its defaults. A host adds its own with
    /// <see cref="Catalog{T}.With"/>.</summary>
    public static Catalog<ITimestepSource> Default { get; } = new Catalog<ITimestepSource>("distribution of timesteps")
        .With("uniform", () => new UniformTimesteps())
        .With("logit_normal", () => new LogitNormalTimesteps())
        .With("sigmoid", () => new SigmoidTimesteps())
        .With("mode", () => new ModeTimesteps())
        .With("cosmap", () => new CosMapTimesteps())
        .With("inverted_parabola", () => new InvertedParabolaTimesteps())
        .With("beta", () => new BetaTimesteps());
}
