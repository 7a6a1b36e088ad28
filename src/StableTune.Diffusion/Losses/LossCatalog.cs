namespace StableTune.Losses;

/// <summary>Losses by the names that the references' options use (<c>loss_type</c> of sd-scripts).</summary>
public static class LossCatalog
{
    /// <summary>
    /// The losses that come with StableTune, each with its defaults. A host adds its own with <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<ILoss> Default { get; } = new Catalog<ILoss>("loss")
        .With("l2", () => new MseLoss())
        .With("l1", () => new L1Loss())
        .With("huber", () => new HuberLoss())
        .With("smooth_l1", () => new SmoothL1Loss())
        .With("log_cosh", () => new LogCoshLoss())
        .With("mixed", () => new MixedLoss());
}
