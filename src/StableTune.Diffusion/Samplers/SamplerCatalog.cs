using StableTune.Diffusion;
using System.Collections.Immutable;

namespace StableTune;

/// <summary>Samplers by the names that configuration files and sample prompts use. Immutable; a host adds its own with <see cref="With"/>.</summary>
public sealed class SamplerCatalog
{
    private readonly ImmutableSortedDictionary<string, Func<ISampler>> _factories;

    private SamplerCatalog(ImmutableSortedDictionary<string, Func<ISampler>> factories) => _factories = factories;

    /// <summary>The samplers that come with StableTune.</summary>
    public static SamplerCatalog Default { get; } = new SamplerCatalog(ImmutableSortedDictionary.Create<string, Func<ISampler>>(StringComparer.Ordinal))
        .With("ddim", () => new DdimSampler())
        .With("euler", () => new EulerSampler())
        .With("k_euler", () => new EulerSampler());

    /// <summary>The known names, sorted.</summary>
    public IEnumerable<string> Names => _factories.Keys;

    /// <summary>This catalogue with one more name, or with another sampler under a name.</summary>
    public SamplerCatalog With(string name, Func<ISampler> create) => new(_factories.SetItem(name, create));

    /// <summary>The sampler with this name, with its defaults.</summary>
    /// <exception cref="ArgumentException">No sampler has this name; the message lists the known ones.</exception>
    public ISampler Create(string name) => _factories.TryGetValue(name, out var create)
        ? create()
        : throw new ArgumentException($"\"{name}\" is no sampler; known are {string.Join(", ", Names)}.", nameof(name));
}
