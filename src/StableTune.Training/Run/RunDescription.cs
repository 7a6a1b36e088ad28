using StableTune.Data;

namespace StableTune.Training;

/// <summary>What is known about a run for the metadata of its files.</summary>
public sealed record RunDescription
{
    /// <summary>A number of 32 bits that tells runs apart.</summary>
    public required uint SessionId { get; init; }

    /// <summary>When the run started, before loading and caching.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Optimizer steps planned.</summary>
    public required int TotalSteps { get; init; }

    /// <summary>Epochs planned.</summary>
    public required int TotalEpochs { get; init; }

    /// <summary>The images; null for a run without.</summary>
    public required TrainingDataset? Dataset { get; init; }

    /// <summary>The base model's generation.</summary>
    public required ModelVersion BaseModel { get; init; }

    /// <summary>What the base model predicts.</summary>
    public required ModelPrediction Prediction { get; init; }

    /// <summary>The factor on every learning rate (<see cref="TrainingPlan.ScaleLearningRate"/>); 1 without.</summary>
    public double LearningRateScale { get; init; } = 1;

    /// <summary>Whether each image was encoded once, before the first step.</summary>
    public bool CachesLatents { get; init; }

    /// <summary>What is odd about the run but works; see <see cref="TrainingStart.Warnings"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The hashes of the model's and the VAE's file; null where no metadata are written.</summary>
    internal SourceHashes? Sources { get; init; }
}
