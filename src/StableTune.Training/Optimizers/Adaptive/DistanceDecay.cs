using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>The two ways in which weights decay: through the gradient, or by themselves.</summary>
/// <param name="Coupled">Decay that is added to the gradient, times the weight.</param>
/// <param name="Apart">Decay per unit of the group's rate.</param>
internal readonly record struct DistanceDecay(float Coupled, float Apart)
{
    /// <summary>Through the gradient, unless the options say otherwise.</summary>
    public static DistanceDecay Of(DistanceOptions options, ParameterGroup group)
    {
        var decay = (float)(group.WeightDecay ?? options.WeightDecay);
        return options is DistanceAdamOptions { Decouple: true } ? new(0, decay) : new(decay, 0);
    }

    /// <summary>By themselves, whatever the options say.</summary>
    public static DistanceDecay ApartOf(DistanceOptions options, ParameterGroup group) =>
        new(0, (float)(group.WeightDecay ?? options.WeightDecay));

    /// <summary>The gradient, with the decayed weight where the decay goes through it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Gradient<T>(in Elements<T> at) where T : struct, INumbers<T> =>
        Coupled != 0 ? at.Gradient + (at.Weight * Coupled) : at.Gradient;

    /// <summary>Where weights decay by themselves, they do it here: θ ← θ(1 − rate · decay).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Decayed<T>(T weight, T rate) where T : struct, INumbers<T> => Apart != 0 ? weight * ((rate * -Apart) + 1f) : weight;
}
