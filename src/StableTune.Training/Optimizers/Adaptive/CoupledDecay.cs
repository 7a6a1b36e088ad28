namespace StableTune.Optimizers;

/// <summary>The two ways in which weights decay: through the gradient, or by themselves.</summary>
internal static class CoupledDecay
{
    /// <summary>The gradients; where the decay goes through them, with the decayed weights.</summary>
    public static Tensor Gradients(DistanceAdamOptions options, FlatUpdate update) =>
        options.Decouple ? update.Gradients : Gradients(options as DistanceOptions, update);

    /// <summary>The gradients with the decayed weights.</summary>
    public static Tensor Gradients(DistanceOptions options, FlatUpdate update) =>
        Of(options, update) is var decay and not 0 ? update.Gradients + (update.Weights * decay) : update.Gradients;

    /// <summary>Where weights decay by themselves, they do it here: θ ← θ(1 − rate · decay).</summary>
    public static void Decay(DistanceAdamOptions options, FlatUpdate update, Tensor rate)
    {
        if (options.Decouple && Of(options, update) is var decay and not 0) update.Weights.mul_(1 - (rate * decay));
    }

    /// <summary>The decay of an update's group.</summary>
    public static double Of(DistanceOptions options, FlatUpdate update) => update.Group.WeightDecay ?? options.WeightDecay;
}
