namespace StableTune;

public sealed partial class TrainerBuilder
{
    /// <summary>The value to which every number of every gradient is clipped, before the norm is; null turns it off.</summary>
    public TrainerBuilder WithMaxGradientValue(double? value) => Set(_plan with { MaxGradientValue = value });

    /// <summary>Steps each parameter inside the backward pass and frees its gradient: less memory for the same result. Not with clipping by
    /// norm (<see cref="WithMaxGradientNorm"/>), accumulation, float16, or optimizers that look at all parameters together.</summary>
    /// <param name="groups">How many groups of parameters are stepped; null steps each parameter alone.</param>
    public TrainerBuilder WithFusedBackward(int? groups = null) =>
        Set(_plan with { FusedBackward = new FusedBackwardOptions { Groups = groups } });

    /// <summary>What happens to a step whose loss or gradients are not finite.</summary>
    public TrainerBuilder WithNonFinite(NonFiniteOptions options) => Set(_plan with { NonFinite = Given(options) });

    /// <summary>Leaves steps out whose loss or gradients are not finite, instead of ending the run.</summary>
    /// <param name="mostInARow">The most in a row; one more ends the run.</param>
    public TrainerBuilder SkipNonFiniteSteps(int mostInARow = 10) => WithNonFinite(new NonFiniteOptions { Skip = true,
        MostInARow = mostInARow });

    /// <summary>How losses are scaled in float16.</summary>
    public TrainerBuilder WithLossScaling(LossScalingOptions options) => Set(_plan with { LossScaling = Given(options) });

    /// <summary>Keeps a moving average of what is trained, which samples, validation and saved files use.</summary>
    public TrainerBuilder WithEma(EmaOptions options) => Set(_plan with { Ema = Given(options) });

    /// <summary>Keeps a moving average of what is trained: <c>WithEma(o => o with { Decay = 0.999 })</c>.</summary>
    /// <param name="change">Given the defaults, returns the options; null for the defaults.</param>
    public TrainerBuilder WithEma(Func<EmaOptions, EmaOptions>? change = null)
    {
        var defaults = new EmaOptions();
        return WithEma(change?.Invoke(defaults) ?? defaults);
    }
}
