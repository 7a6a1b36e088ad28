namespace StableTune.Training;

/// <summary>The named random generators of a run, all in host memory: a draw added for one purpose moves no other. Their states are saved
/// and restored.</summary>
public sealed class TrainingRandom : IResumable, IDisposable
{
    private readonly Dictionary<string, Generator> _streams = new(StringComparer.Ordinal);

    /// <summary>Creates the streams from the seed of the run.</summary>
    public TrainingRandom(NamedSeeds seeds) => Seeds = seeds;

    /// <summary>What the streams are derived from.</summary>
    public NamedSeeds Seeds { get; }

    /// <summary>The stream of a purpose, "noise" for instance; begun when it is first asked for. The same name gives the same
    /// stream.</summary>
    /// <param name="purpose">Any name.</param>
    public Generator this[string purpose]
    {
        get
        {
            if (_streams.TryGetValue(purpose, out var stream)) return stream;
            return _streams[purpose] = new Generator(unchecked((ulong)Seeds.For(purpose)));
        }
    }

    /// <summary>The noise that is added to latents.</summary>
    public Generator Noise => this["noise"];

    /// <summary>The timesteps of the samples.</summary>
    public Generator Timesteps => this["timesteps"];

    /// <summary>The draw from the VAE's distribution.</summary>
    public Generator Vae => this["vae"];

    /// <summary>The initial weights of what is trained.</summary>
    public Generator Initialization => this["init"];

    /// <summary>What the dropouts of the trained parts do.</summary>
    public Generator Dropout => this["dropout"];

    /// <summary>The masks of inpainting models, and the draw of the masked pictures' latents.</summary>
    public Generator Masks => this["masks"];

    /// <inheritdoc/>
    public string Name => "random";

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        foreach (var (purpose, stream) in _streams.OrderBy(stream => stream.Key, StringComparer.Ordinal))
            writer.Tensor(purpose, stream.get_state());
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        using var scope = NewDisposeScope();
        foreach (var purpose in reader.TensorNames) this[purpose].set_state(reader.Tensor(purpose));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var stream in _streams.Values) stream.Dispose();
        _streams.Clear();
    }
}
