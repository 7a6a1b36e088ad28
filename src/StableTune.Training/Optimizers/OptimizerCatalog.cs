namespace StableTune.Optimizers;

/// <summary>Optimizers by the names that the references' options use (<c>optimizer_type</c> of sd-scripts).</summary>
public static class OptimizerCatalog
{
    /// <summary>
    /// The optimizers that come with StableTune, each with its defaults. As in sd-scripts, upper and lower case are the same. A host adds
    /// its own with <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<OptimizerOptions> Default { get; } = new Catalog<OptimizerOptions>("optimizer", StringComparer.OrdinalIgnoreCase)
        .With("AdaFactor", () => new AdaFactorOptions())
        .With("Adagrad", () => new AdagradOptions())
        .With("Adam", () => new AdamOptions())
        .With("Adam8bit", () => new Adam8bitOptions())
        .With("Adamax", () => new AdamaxOptions())
        .With("AdamW", () => new AdamWOptions())
        .With("AdamW8bit", () => new AdamW8bitOptions())
        .With("AdamWScheduleFree", () => new AdamWScheduleFreeOptions())
        .With("Adan", () => new AdanOptions())
        .With("AdEMAMix", () => new AdEMAMixOptions())
        .With("AdEMAMix8bit", () => new AdEMAMix8bitOptions())
        .With("ADOPT", () => new ADOPTOptions())
        .With("ASGD", () => new ASGDOptions())
        .With("Automagic", () => new AutomagicOptions())
        .With("CAME", () => new CAMEOptions())
        .With("DAdaptAdaGrad", () => new DAdaptAdaGradOptions())
        .With("DAdaptAdam", () => new DAdaptAdamOptions())
        .With("DAdaptAdamPreprint", () => new DAdaptAdamPreprintOptions())
        .With("DAdaptAdan", () => new DAdaptAdanOptions())
        .With("DAdaptAdanIP", () => new DAdaptAdanIPOptions())
        .With("DAdaptation", () => new DAdaptAdamPreprintOptions())
        .With("DAdaptLion", () => new DAdaptLionOptions())
        .With("DAdaptSGD", () => new DAdaptSGDOptions())
        .With("Lion", () => new LionOptions())
        .With("Lion8bit", () => new Lion8bitOptions())
        .With("Muon", () => new MuonOptions())
        .With("NAdam", () => new NAdamOptions())
        .With("PagedAdamW", () => new PagedAdamWOptions())
        .With("PagedAdamW32bit", () => new PagedAdamW32bitOptions())
        .With("PagedAdamW8bit", () => new PagedAdamW8bitOptions())
        .With("PagedAdEMAMix8bit", () => new PagedAdEMAMix8bitOptions())
        .With("PagedLion8bit", () => new PagedLion8bitOptions())
        .With("Prodigy", () => new ProdigyOptions())
        .With("RAdam", () => new RAdamOptions())
        .With("RAdamScheduleFree", () => new RAdamScheduleFreeOptions())
        .With("RMSprop", () => new RMSpropOptions())
        .With("Rprop", () => new RpropOptions())
        .With("SGD", () => new SGDOptions())
        .With("SGDNesterov", () => new SGDNesterovOptions())
        .With("SGDNesterov8bit", () => new SGDNesterov8bitOptions())
        .With("SGDScheduleFree", () => new SGDScheduleFreeOptions())
        .With("StableAdamW", () => new StableAdamWOptions());
}
