using StableTune.Models;

namespace StableTune;

/// <summary>What is known about a single-file checkpoint beforehand. Without, everything is found out from the file and the <c>.yaml</c>
/// beside it.</summary>
public sealed record SingleFileOptions : OptionsBase
{
    /// <summary>The family; <see cref="ModelVersion.Auto"/> finds out. Needed only for files without text encoder whose context has an
    /// uncommon width.</summary>
    public ModelVersion Version { get; init; }

    /// <summary>What the UNet predicts; <see cref="ModelPrediction.Auto"/> finds out.</summary>
    public ModelPrediction Prediction { get; init; }

    /// <summary>Whether averaged weights are taken.</summary>
    public EmaWeights Ema { get; init; }

    /// <summary>
    /// A folder in diffusers' layout whose configurations are used (<c>unet/config.json</c>, <c>vae/config.json</c>,
    /// <c>text_encoder/config.json</c>,
    /// <c>text_encoder_2/config.json</c>, <c>scheduler/scheduler_config.json</c>), each where it is there; null for none. For models
    /// whose numbers of heads or norm groups are uncommon, which single files do not tell.
    /// </summary>
    public string? ConfigurationPath { get; init; }

    /// <summary>The yaml file that belongs to the checkpoint; null for the one beside it with the same name, if there is one.</summary>
    public string? YamlPath { get; init; }

    /// <summary>The UNet's architecture, before all else; null to find out.</summary>
    public UNetOptions? UNet { get; init; }

    /// <summary>The VAE's architecture, before all else; null to find out.</summary>
    public VaeOptions? Vae { get; init; }

    /// <summary>The text encoder's architecture, before all else; null to find out.</summary>
    public ClipTextOptions? TextEncoder { get; init; }

    /// <summary>The architecture of SDXL's second text encoder, before all else; null to find out.</summary>
    public ClipTextOptions? TextEncoder2 { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Enum.IsDefined(Version))
            yield return Problem(Version.ToString(), "the family is not known", "use ModelVersion.Auto", nameof(Version));
        if (!Enum.IsDefined(Prediction))
            yield return Problem(Prediction.ToString(), "the prediction is not known", "use ModelPrediction.Auto", nameof(Prediction));
        if (!Enum.IsDefined(Ema)) yield return Problem(Ema.ToString(), "the choice is not known", "use EmaWeights.Ignore", nameof(Ema));
        if (ConfigurationPath is { } folder && !Directory.Exists(folder))
            yield return Problem(ConfigurationPath, "the folder does not exist", "give a model folder in diffusers' layout, or null");
        foreach (var part in new OptionsBase?[] { UNet, Vae, TextEncoder, TextEncoder2 })
            foreach (var problem in part?.Validate() ?? []) yield return problem;
    }
}
