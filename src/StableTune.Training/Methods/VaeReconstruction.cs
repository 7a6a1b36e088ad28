using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What a reconstruction is measured by.</summary>
public enum ReconstructionLoss
{
    /// <summary>The mean absolute difference: sharper edges.</summary>
    L1,

    /// <summary>The mean squared difference: smoother surfaces.</summary>
    L2,
}

/// <summary>
/// The method that trains VAEs: pictures are encoded, drawn from, decoded, and compared with themselves. Where the encoder is trained, the
/// distance of its distributions from the standard normal one counts too.
/// </summary>
/// <remarks>Rombach et al., arXiv:2112.10752, appendix G, without its discriminator and perceptual loss.</remarks>
public sealed record VaeReconstructionOptions : TrainingMethodOptions
{
    /// <summary>What the reconstruction is measured by, each colour of each pixel in -1 ... 1. Default
    /// <see cref="ReconstructionLoss.L1"/>.</summary>
    public ReconstructionLoss Loss { get; init; } = ReconstructionLoss.L1;

    /// <summary>The weight of the Kullback-Leibler divergence, relative to the sum over all pixels, as in the original training. Default
    /// 1e-6. Counts where the encoder is trained.</summary>
    public double KlWeight { get; init; } = 1e-6;

    /// <inheritdoc/>
    public override MethodNeeds Needs => MethodNeeds.Dataset | MethodNeeds.Vae | MethodNeeds.Pixels;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Enum.IsDefined(Loss))
            yield return Problem(Loss, "there is no such loss", "use ReconstructionLoss.L1 or ReconstructionLoss.L2");
        if (!(KlWeight >= 0 && double.IsFinite(KlWeight)))
            yield return Problem(KlWeight, "the weight must not be negative, and finite", "1e-6 is customary, 0 switches it off");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        const string option = $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.Trainables)}";
        foreach (var other in plan.Trainables.Where(other => !other.ActsThrough.HasFlag(ModelParts.Vae)))
            yield return new OptionProblem(option, other.EffectiveName, "this method runs the VAE alone, so this would learn nothing",
                "train it in a run of its own");
        if (plan.GivenModel is { } model && !model.Parts.HasFlag(ModelParts.Vae))
            yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.GivenModel)}", null,
                "the model that was given has no VAE, which is to be trained", "load it with ModelParts.Vae");
    }

    /// <inheritdoc/>
    public override ITrainingMethod Create(MethodSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return new VaeReconstruction(this, setup.Model, setup.Random.Vae);
    }
}

/// <summary>Pictures through the VAE and back.</summary>
internal sealed class VaeReconstruction(VaeReconstructionOptions options, StableDiffusionModel model, Generator random) : ITrainingMethod
{
    private readonly bool _trainsEncoder = model.Vae.named_parameters().Any(entry =>
        entry.parameter.requires_grad && (entry.name.StartsWith("encoder.", StringComparison.Ordinal)
            || entry.name.StartsWith("quant_conv.", StringComparison.Ordinal)));

    public Tensor Loss(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        var given = batch.Pixels ?? throw new InvalidOperationException(
            "The batch has no pictures: a VAE is trained on them, not on latents.");
        var pixels = given.to(model.Device);
        var posterior = Encode(pixels);
        var reconstructed = model.Vae.Decode(posterior.Sample(random, batch.Share));                                // [B, 3, H, W]
        var difference = reconstructed.to(ScalarType.Float32) - pixels;
        var error = options.Loss == ReconstructionLoss.L1 ? difference.abs() : difference.square();
        if (batch.Masks is { } masks) error = error * Enlarged(masks.to(error.device), pixels);
        var loss = error.flatten(1).mean([1L]);                                                        // [B]
        if (_trainsEncoder && options.KlWeight > 0)
            loss = loss + posterior.Divergence() * (options.KlWeight / (pixels.numel() / pixels.shape[0]));
        return (loss * batch.LossWeights.to(loss.device)).mean().MoveToOuterDisposeScope();
    }

    public void Dispose() { }

    private LatentDistribution Encode(Tensor pixels)
    {
        using var gradients = set_grad_enabled(_trainsEncoder && is_grad_enabled());
        return model.Vae.Encode(pixels);
    }

    /// <summary>Masks of the latents' size [B, 1, H/8, W/8] to [B, 1, H, W].</summary>
    private static Tensor Enlarged(Tensor masks, Tensor pixels) =>
        nn.functional.interpolate(masks, size: [pixels.shape[2], pixels.shape[3]], mode: InterpolationMode.Nearest);
}
