namespace StableTune.Optimizers;

/// <summary>Optimizers by the names that the references' options use (<c>optimizer_type</c> of sd-scripts).</summary>
public static class OptimizerCatalog
{
    /// <summary>
    /// The optimizers that come with StableTune, each with its defaults. As in sd-scripts, upper and lower case are the same. A host adds
    /// its own with <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<OptimizerOptions> Default { get; } = new Catalog<OptimizerOptions>("optimizer", StringComparer.OrdinalIgnoreCase)
        .With("AdamW", () => new AdamWOptions())
        .With("AdamW8bit", () => new AdamW8bitOptions())
        .With("DAdaptAdam", () => new DAdaptAdamOptions())
        .With("DAdaptAdamPreprint", () => new DAdaptAdamPreprintOptions())
        .With("DAdaptation", () => new DAdaptAdamPreprintOptions())
        .With("DAdaptAdaGrad", () => new DAdaptAdaGradOptions())
        .With("DAdaptAdan", () => new DAdaptAdanOptions())
        .With("DAdaptAdanIP", () => new DAdaptAdanIPOptions())
        .With("DAdaptLion", () => new DAdaptLionOptions())
        .With("DAdaptSGD", () => new DAdaptSGDOptions())
        .With("Prodigy", () => new ProdigyOptions())
        .With("AdEMAMix", () => new AdEMAMixOptions())
        .With("ADOPT", () => new ADOPTOptions())
        .With("Adan", () => new AdanOptions())
        .With("StableAdamW", () => new StableAdamWOptions())
        .With("CAME", () => new CAMEOptions())
        .With("Muon", () => new MuonOptions())
        .With("Automagic", () => new AutomagicOptions());
}
