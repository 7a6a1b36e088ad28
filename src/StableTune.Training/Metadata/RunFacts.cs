namespace StableTune.Training;

/// <summary>What files say about the run: when, how long, on how much.</summary>
internal sealed record RunFacts
{
    /// <summary>A number of 32 bits that tells runs apart.</summary>
    public uint SessionId { get; init; }

    /// <summary>Start, seconds since 1970.</summary>
    public double StartedAt { get; init; }

    /// <summary>When the file was saved, seconds since 1970; null leaves it out.</summary>
    public double? FinishedAt { get; init; }

    /// <summary>The name of the output, without folder and extension.</summary>
    public string? OutputName { get; init; }

    /// <summary>Images times repeats, without regularisation images.</summary>
    public int TrainImages { get; init; }

    /// <summary>Images held out for validation.</summary>
    public int ValidationImages { get; init; }

    /// <summary>Regularisation images.</summary>
    public int RegularizationImages { get; init; }

    /// <summary>Batches in an epoch.</summary>
    public int BatchesPerEpoch { get; init; }

    /// <summary>Epochs the run was planned for.</summary>
    public int Epochs { get; init; }

    /// <summary>Epochs until this file, counted from 1.</summary>
    public int Epoch { get; init; }

    /// <summary>Steps until this file.</summary>
    public int Steps { get; init; }

    /// <summary>Steps the run was planned for.</summary>
    public int MaxTrainSteps { get; init; }

    /// <summary>The seed of the run.</summary>
    public long? Seed { get; init; }

    /// <summary>The user's words.</summary>
    public string? Comment { get; init; }

    /// <summary>The program that trained, with its version: <c>StableTune 0.1.0</c>; null leaves it out.</summary>
    public string? Trainer { get; init; }

    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_session_id", SessionId), ("ss_training_started_at", StartedAt), ("ss_output_name", OutputName),
        ("ss_num_train_images", TrainImages), ("ss_num_validation_images", ValidationImages), ("ss_num_reg_images", RegularizationImages),
        ("ss_num_batches_per_epoch", BatchesPerEpoch), ("ss_num_epochs", Epochs), ("ss_epoch", Epoch), ("ss_steps", Steps),
        ("ss_max_train_steps", MaxTrainSteps), ("ss_seed", Seed), ("ss_training_comment", Comment),
        .. FinishedAt is null ? Array.Empty<(string, object?)>() : [("ss_training_finished_at", FinishedAt)],
        .. Trainer is null ? Array.Empty<(string, object?)>() : [("ss_trainer", Trainer)],
    ];
}
