namespace StableTune.Training;

/// <summary>The named random generators of a run: a draw added for one purpose moves no other.</summary>
public sealed class TrainingRandom : IDisposable
{
    /// <summary>Creates the generators from the seed of the run.</summary>
    public TrainingRandom(NamedSeeds seeds)
    {
        Seeds = seeds;
        Noise = Create("noise");
        Timesteps = Create("timesteps");
        Vae = Create("vae");
        Initialization = Create("init");
        Dropout = Create("dropout");
        Masks = Create("masks");
    }

    /// <summary>What the generators were derived from.</summary>
    public NamedSeeds Seeds { get; }

    /// <summary>The noise that is added to latents.</summary>
    public Generator Noise { get; }

    /// <summary>The timesteps of the samples.</summary>
    public Generator Timesteps { get; }

    /// <summary>The draw from the VAE's distribution.</summary>
    public Generator Vae { get; }

    /// <summary>The initial weights of what is trained.</summary>
    public Generator Initialization { get; }

    /// <summary>What the dropouts of the trained parts do.</summary>
    public Generator Dropout { get; }

    /// <summary>The masks of inpainting models, and the draw of the masked pictures' latents.</summary>
    public Generator Masks { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Noise.Dispose();
        Timesteps.Dispose();
        Vae.Dispose();
        Initialization.Dispose();
        Dropout.Dispose();
        Masks.Dispose();
    }

    private Generator Create(string purpose) => new(unchecked((ulong)Seeds.For(purpose)));
}
