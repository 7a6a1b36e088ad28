using StableTune.Diffusion;

namespace StableTune.Losses;

/// <summary>Turns a prediction and its target into an error per element; masks, weights and means come after.</summary>
public interface ILoss
{
    /// <summary>What files say the loss was (<c>ss_loss_type</c>): sd-scripts' name where it has one. Default the class's name.</summary>
    string Name => GetType().Name;

    /// <summary>The error of every element.</summary>
    /// <param name="predicted">The model's answer, [B, C, h, w].</param>
    /// <param name="target">Its goal, as the prediction.</param>
    /// <param name="schedule">The forward process, for losses that depend on the noise level.</param>
    /// <param name="timesteps">One per sample, [B], int64.</param>
    /// <returns>A fresh tensor [B, C, h, w], float32, not negative, through which gradients flow to <paramref name="predicted"/>.</returns>
    Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps);
}

/// <summary>Weights the loss of a sample by its timestep. Several multiply.</summary>
public interface ILossWeighting
{
    /// <summary>One factor per sample.</summary>
    /// <param name="schedule">The forward process.</param>
    /// <param name="prediction">What the model predicts.</param>
    /// <param name="timesteps">One per sample, [B], int64.</param>
    /// <returns>A fresh tensor [B], float32, finite and not negative.</returns>
    Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps);

    /// <summary>Why it makes no sense for a model; null, the default, where it does.</summary>
    /// <param name="prediction">What the model predicts.</param>
    /// <returns>The reason in a few words: "the model predicts velocity already".</returns>
    string? Misfit(PredictionType prediction) => null;
}

/// <summary>A builder that has a place for a loss and its weightings.</summary>
/// <typeparam name="TBuilder">The builder itself.</typeparam>
public interface ILossSocket<out TBuilder>
{
    /// <summary>Sets the loss; the last call counts.</summary>
    TBuilder WithLoss(ILoss loss);

    /// <summary>Adds a weighting; all that were added multiply.</summary>
    TBuilder WithLossWeighting(ILossWeighting weighting);
}
