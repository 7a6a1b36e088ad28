using StableTune.Diffusion;

namespace StableTune;

/// <summary>
/// Noise that changes the noise of another source. Layers lie above each other in a fixed order, whatever the order in which they were
/// asked for: offset, multi-resolution, input perturbation.
/// </summary>
public abstract record NoiseLayer : OptionsBase, INoiseSource
{
    private protected NoiseLayer() { }

    /// <summary>The source below. Default <see cref="NormalNoise"/>.</summary>
    public INoiseSource Inner { get; init; } = new NormalNoise();

    /// <summary>Its place: layers of a smaller number lie below.</summary>
    private protected abstract int Place { get; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => Inner.Validate();

    /// <inheritdoc/>
    public Tensor Draw(Tensor latents, Generator generator)
    {
        using var scope = NewDisposeScope();
        var noise = Inner.Draw(latents, generator);
        return Changed(latents, noise, new NoiseDraws(generator)).to(latents.dtype).alias().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Added(Tensor noise, Generator generator) => MoreAdded(Inner.Added(noise, generator), new NoiseDraws(generator));

    /// <summary>Puts a layer into its place above a source; one of the same kind makes way for it.</summary>
    /// <param name="source">The source, perhaps with layers.</param>
    /// <param name="layer">The layer; what it wraps does not count.</param>
    public static INoiseSource Over(INoiseSource source, NoiseLayer layer)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(layer);
        if (source is not NoiseLayer outer || outer.Place < layer.Place) return layer with { Inner = source };
        return outer.Place == layer.Place ? layer with { Inner = outer.Inner } : outer with { Inner = Over(outer.Inner, layer) };
    }

    /// <summary>The layers of a source, from the outside in; none for a source that has none.</summary>
    public static IEnumerable<NoiseLayer> Of(INoiseSource source)
    {
        for (; source is NoiseLayer layer; source = layer.Inner) yield return layer;
    }

    /// <summary>The noise with this layer's share, as the noise or in float32.</summary>
    /// <param name="latents">Scaled latents, [B, C, h, w].</param>
    /// <param name="noise">The noise of the source below, as the latents; not to be changed.</param>
    /// <param name="draws">The only source of randomness.</param>
    internal virtual Tensor Changed(Tensor latents, Tensor noise, NoiseDraws draws) => noise;

    /// <summary>The noise that is added, with what this layer adds to it alone.</summary>
    /// <param name="noise">What the source below adds; not to be changed.</param>
    /// <param name="draws">The only source of randomness.</param>
    internal virtual Tensor MoreAdded(Tensor noise, NoiseDraws draws) => noise;
}

/// <summary>Random numbers of layers of noise, in float32 and in host memory unless the generator lies elsewhere.</summary>
internal class NoiseDraws(Generator generator)
{
    /// <summary>Normal noise on the device of another tensor.</summary>
    public virtual Tensor Normal(ReadOnlySpan<long> shape, Tensor like) =>
        randn(shape.ToArray(), dtype: ScalarType.Float32, device: generator.device, generator: generator).to(like.device);

    /// <summary>A number of [0, 1).</summary>
    public virtual double Uniform()
    {
        using var scope = NewDisposeScope();
        return rand([1], dtype: ScalarType.Float64, device: generator.device, generator: generator).item<double>();
    }

    /// <summary>A strength: itself, or a random part of it.</summary>
    public double Strength(double full, bool isRandom) => isRandom ? full * Uniform() : full;
}
