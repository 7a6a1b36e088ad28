using StableTune.Adapters;

namespace StableTune.Adapters;

/// <summary>
/// Options of one kind of adapter, and the maker of its implementation. A new kind is a record derived from this one and a
/// <see cref="NetworkAdapter"/>; nothing else needs to know of it.
/// </summary>
public abstract record AdapterOptions : OptionsBase
{
    /// <summary>Which parts of the model get adapters. Default: UNet and text encoder, as sd-scripts.</summary>
    public AdapterParts Parts { get; init; } = AdapterParts.Both;

    /// <summary>Learning rate of the UNet's adapters; null for the run's. With 0 the UNet gets none.</summary>
    public double? UNetLearningRate { get; init; }

    /// <summary>Learning rate of the text encoder's adapters; null for the run's. With 0 the text encoder gets none.</summary>
    public double? TextEncoderLearningRate { get; init; }

    /// <summary>Learning rate of the adapters of SDXL's second text encoder; null for that of the first. With 0 it gets none.</summary>
    public double? SecondTextEncoderLearningRate { get; init; }

    /// <summary>Which layers are adapted. Default: those of sd-scripts.</summary>
    public AdapterTargets Targets { get; init; } = AdapterTargets.SdScripts;

    /// <summary>The parts that are left when those with a learning rate of 0 are taken away.</summary>
    public AdapterParts TrainedParts =>
        Parts & ~(UNetLearningRate == 0 ? AdapterParts.UNet : 0) & ~(TextEncoderLearningRate == 0 && SecondTextEncoderLearningRate is (null or 0) ? AdapterParts.TextEncoder : 0);

    /// <summary>The learning rate of a text encoder, counted from 1; null for the run's.</summary>
    internal double? TextEncoderRate(int encoder) => encoder == 2 ? SecondTextEncoderLearningRate ?? TextEncoderLearningRate : TextEncoderLearningRate;

    /// <summary>What the names in files begin with, before <c>_unet_</c> or <c>_te_</c>.</summary>
    public virtual string KeyPrefix => "lora";

    /// <summary>What is wrong with the options that all kinds have. Derived records add their own.</summary>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Parts == AdapterParts.None || (Parts & ~AdapterParts.Both) != 0)
            yield return Problem(Parts, "at least one part of the model must get adapters", "choose UNet, TextEncoder or Both");
        if (UNetLearningRate is { } unet && !(unet >= 0 && double.IsFinite(unet)))
            yield return Problem(UNetLearningRate, "a learning rate must not be negative", "1e-4 is customary; 0 leaves the UNet out");
        if (TextEncoderLearningRate is { } text && !(text >= 0 && double.IsFinite(text)))
            yield return Problem(TextEncoderLearningRate, "a learning rate must not be negative",
                "5e-5 is customary; 0 leaves the text encoder out");
        if (SecondTextEncoderLearningRate is { } second && !(second >= 0 && double.IsFinite(second)))
            yield return Problem(SecondTextEncoderLearningRate, "a learning rate must not be negative",
                "5e-5 is customary; 0 leaves the second text encoder out");
        if (Parts != AdapterParts.None && TrainedParts == AdapterParts.None)
            yield return Problem(TrainedParts, "every part has a learning rate of 0, so nothing would be trained",
                "set a learning rate, or choose other parts");
    }

    /// <summary>Makes the adapter of one layer.</summary>
    /// <param name="layer">The frozen layer.</param>
    /// <param name="random">What initial values are drawn from.</param>
    public abstract NetworkAdapter Create(LayerShape layer, Generator random);

    /// <summary>
    /// What files say about the network: <c>ss_network_module</c>, <c>ss_network_dim</c>, <c>ss_network_alpha</c>,
    /// <c>ss_network_dropout</c> and <c>ss_network_args</c> (a dictionary, written as JSON).
    /// </summary>
    public abstract NetworkFacts Describe();
}
