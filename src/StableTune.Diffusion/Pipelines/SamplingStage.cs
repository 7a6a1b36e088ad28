using StableTune.Models;

namespace StableTune;

/// <summary>
/// A part of the timesteps that is drawn by another model, or with adapters set otherwise: a model or adapter that was trained on a range
/// of timesteps is used in its own.
/// </summary>
/// <param name="From">The first timestep, 0 to 999; low ones carry little noise.</param>
/// <param name="To">The end of the range, excluded, above <paramref name="From"/>, to 1000.</param>
public sealed record SamplingStage(int From, int To)
{
    /// <summary>The model whose UNet draws here; its other parts are not used, and it stays the caller's. Null, the default, for the
    /// pipeline's own.</summary>
    public StableDiffusionModel? Model { get; init; }

    /// <summary>
    /// Called when the walk enters the range, such as to set an adapter's strength; what it gives is disposed of when the walk leaves it.
    /// Null, the default, for nothing.
    /// </summary>
    public Func<IDisposable?>? Enter { get; init; }

    internal bool Holds(double timestep) => timestep >= From && timestep < To;
}
