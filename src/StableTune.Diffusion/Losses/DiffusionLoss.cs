using StableTune.Diffusion;

namespace StableTune.Losses;

/// <summary>What one batch gives to the loss.</summary>
public sealed record LossInputs
{
    /// <summary>The model's answer, [B, C, h, w].</summary>
    public required Tensor Predicted { get; init; }

    /// <summary>The target, of the prediction's shape.</summary>
    public required Tensor Target { get; init; }

    /// <summary>One timestep per sample, [B], int64.</summary>
    public required Tensor Timesteps { get; init; }

    /// <summary>The forward process.</summary>
    public required NoiseSchedule Schedule { get; init; }

    /// <summary>The schedule whose signal-to-noise ratios weightings go by; null, the default, for <see cref="Schedule"/>. sd-scripts takes
    /// those of before the correction to zero terminal SNR.</summary>
    public NoiseSchedule? WeightingSchedule { get; init; }

    /// <summary>What the model predicts.</summary>
    public required PredictionType Prediction { get; init; }

    /// <summary>A weight per sample, such as that of regularisation images, [B]; null for 1.</summary>
    public Tensor? SampleWeights { get; init; }

    /// <summary>A factor in [0, 1] for each place of the latents, [B, 1 or C, h, w]; null for 1.</summary>
    public Tensor? Mask { get; init; }
}

/// <summary>The loss of one batch. Gradients flow through both tensors.</summary>
/// <param name="PerSample">Each sample's weighted loss, [B], float32.</param>
/// <param name="Mean">Their mean, a scalar [], float32: what is differentiated.</param>
public readonly record struct LossResult(Tensor PerSample, Tensor Mean);

/// <summary>
/// A loss with its weightings: element-wise error, times the mask, mean over each sample, times the sample's weight, times each
/// weighting in the order given, mean over the batch.
/// </summary>
/// <remarks>The mean of a masked sample is over all its elements, not over the unmasked ones, as in sd-scripts, unless
/// <see cref="MaskOptions.NormalizeByArea"/> says otherwise.</remarks>
public sealed record DiffusionLoss : OptionsBase
{
    /// <summary>The element-wise error. Default <see cref="MseLoss"/>.</summary>
    public ILoss Loss { get; init; } = new MseLoss();

    /// <summary>Weightings by timestep; they multiply. Default none.</summary>
    public IReadOnlyList<ILossWeighting> Weightings { get; init; } = [];

    /// <summary>How masks act. Default: as factors of the loss, as in sd-scripts.</summary>
    public MaskOptions Masks { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        Weightings.Cast<object>().Prepend(Loss).Append(Masks).OfType<OptionsBase>().SelectMany(part => part.Validate());

    /// <summary>The loss of one batch.</summary>
    /// <returns>Losses per sample and their mean; both belong to the caller.</returns>
    public LossResult Compute(LossInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        using var scope = NewDisposeScope();
        var loss = Loss.PerElement(inputs.Predicted, inputs.Target, inputs.Schedule, inputs.Timesteps);   // [B, C, h, w]
        if (inputs.Mask is { } mask) loss = loss * Masks.Factors(mask);
        loss = loss.flatten(1).mean([1L]);                                                                 // [B]
        if (inputs.SampleWeights is { } weights) loss = loss * weights;
        foreach (var weighting in Weightings)
            loss = loss * weighting.Weights(inputs.WeightingSchedule ?? inputs.Schedule, inputs.Prediction, inputs.Timesteps);
        return new LossResult(loss.MoveToOuterDisposeScope(), loss.mean().MoveToOuterDisposeScope());
    }
}
