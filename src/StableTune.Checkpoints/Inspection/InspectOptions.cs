using StableTune.Models;

namespace StableTune;

/// <summary>What is looked at when a file or folder is inspected.</summary>
public sealed record InspectOptions : OptionsBase
{
    /// <summary>
    /// Whether every number is looked at, so that tensors with NaN or infinite ones are named. Default true; with false, and without
    /// <see cref="Hashes"/>, only headers are read.
    /// </summary>
    public bool Numbers { get; init; } = true;

    /// <summary>Whether the files' hashes are computed, for which every byte is read. Default false.</summary>
    public bool Hashes { get; init; }

    /// <summary>The generation, where a single file does not tell it; <see cref="ModelVersion.Auto"/> finds out.</summary>
    public ModelVersion Version { get; init; }

    /// <summary>What the model predicts, where nothing tells it; <see cref="ModelPrediction.Auto"/> finds out.</summary>
    public ModelPrediction Prediction { get; init; }

    /// <summary>The variant of a folder's weights files, such as "fp16"; null for the plain ones.</summary>
    public string? Variant { get; init; }

    /// <summary>A model folder whose configurations tell what a single file does not, such as numbers of heads that are not usual; null
    /// for none.</summary>
    public string? ConfigurationPath { get; init; }

    /// <summary>Told how far hashing is, in megabytes, as stage "hashing"; where nothing is hashed, how far the numbers are looked at, as
    /// stage "checking".</summary>
    public IProgress<WorkProgress>? Progress { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => [.. ForFolder.Validate(), .. ForFile.Validate()];

    /// <summary>How a folder is opened.</summary>
    internal ModelLoadOptions ForFolder => new() { Version = Version, Prediction = Prediction, Variant = Variant };

    /// <summary>How a single file is opened.</summary>
    internal SingleFileOptions ForFile => new() { Version = Version, Prediction = Prediction, ConfigurationPath = ConfigurationPath };
}
