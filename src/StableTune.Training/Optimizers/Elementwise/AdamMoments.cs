using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>What the kinds of Adam begin with: weight decay, m ← β₁m + (1 − β₁)g and v ← β₂v + (1 − β₂)g² in the first two slots.</summary>
/// <param name="Decay">Weight decay that is added to the gradient, times the weight.</param>
/// <param name="Kept">What is left of a weight by decay apart from the gradient.</param>
/// <param name="Beta1">β₁.</param>
/// <param name="Rest1">1 − β₁.</param>
/// <param name="Beta2">β₂.</param>
/// <param name="Rest2">1 − β₂.</param>
internal readonly record struct AdamMoments(float Decay, float Kept, float Beta1, float Rest1, float Beta2, float Rest2)
{
    /// <summary>Those of a step.</summary>
    public static AdamMoments Of(AdamFamilyOptions options, ParameterGroup group, double rate, bool decayIsApart)
    {
        var decay = group.WeightDecay ?? options.WeightDecay;
        return new((float)(decayIsApart ? 0 : decay), (float)(decayIsApart ? 1 - (rate * decay) : 1),
            (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2));
    }

    /// <summary>Changes weight and moments.</summary>
    /// <returns>The gradient with the decay that belongs to it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        if (Kept != 1) at.Weight *= Kept;
        at.First = (at.First * Beta1) + (g * Rest1);
        at.Second = (at.Second * Beta2) + (g * g * Rest2);
        return g;
    }
}
