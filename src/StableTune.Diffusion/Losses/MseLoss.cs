using StableTune.Diffusion;

namespace StableTune;

/// <summary>The squared error (p - y)², the default ("l2").</summary>
public sealed record MseLoss : OptionsBase, ILoss
{
    /// <inheritdoc/>
    public string Name => "l2";

    /// <inheritdoc/>
    public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        return (predicted.to(ScalarType.Float32) - target.to(ScalarType.Float32)).pow(2).MoveToOuterDisposeScope();
    }
}
