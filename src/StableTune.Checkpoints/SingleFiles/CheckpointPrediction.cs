using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Finds out what a checkpoint's UNet predicts, and on which noise schedule.</summary>
internal static class CheckpointPrediction
{
    // Tensors without content that mark models which predict velocity; the second also a schedule that ends in pure noise.
    private const string VMark = "v_pred", ZeroSnrMark = "ztsnr";

    /// <summary>Names that are no weights but marks.</summary>
    public static IReadOnlyList<string> Marks { get; } = [VMark, ZeroSnrMark];

    /// <summary>What is known of a checkpoint where its prediction is asked for.</summary>
    /// <param name="File">The checkpoint.</param>
    /// <param name="Version">Its family.</param>
    /// <param name="InChannels">Channels of the UNet's input.</param>
    /// <param name="Yaml">The yaml file; null without one.</param>
    /// <param name="Scheduler">The scheduler's configuration; null without one.</param>
    public sealed record Evidence(ITensorFile File, ModelVersion Version, int InChannels, SidecarYaml? Yaml, SchedulerOptions? Scheduler);

    /// <summary>The prediction, and what told it; the first that tells counts.</summary>
    /// <exception cref="InvalidFileException">Nothing tells it, as with SD 2.x files without anything beside them.</exception>
    public static (ModelPrediction Prediction, string Origin) Find(Evidence evidence, ModelPrediction wanted)
    {
        if (wanted != ModelPrediction.Auto) return (wanted, $"from the option {nameof(SingleFileOptions.Prediction)}");
        if (evidence.Scheduler is { } scheduler) return (scheduler.Prediction, $"from {CheckpointConfiguration.SchedulerFile}");
        if (evidence.Yaml is { Prediction: { } said } named) return (said, $"from {Path.GetFileName(named.Path)}");
        if (Marks.FirstOrDefault(mark => evidence.File.TryGet(mark, out _)) is { } found)
            return (ModelPrediction.V, $"from the mark '{found}' in the file");
        if (evidence.Yaml is { } yaml)
            return (ModelPrediction.Epsilon, $"from {Path.GetFileName(yaml.Path)}, which names no parameterization");
        if (FromMetadata(evidence.File.Metadata) is { } specified) return specified;
        if (evidence.Version != ModelVersion.Sd2) return (ModelPrediction.Epsilon, "as its generation does");
        // Both were made from the base model: 512-inpainting-ema and 512-depth-ema.
        if (evidence.InChannels is 5 or 9)
            return (ModelPrediction.Epsilon, $"as its generation does with {evidence.InChannels} input channels");
        throw new InvalidFileException(
            evidence.File.Path,
                "Stable Diffusion 2.x models predict noise (512 pixels) or velocity (768 pixels), and nothing tells which: there is no "
                    + ".yaml beside the file and no modelspec in its metadata.",
            $"Set the option {nameof(SingleFileOptions.Prediction)} to {ModelPrediction.Epsilon} or {ModelPrediction.V}, or put the "
                + $"model's .yaml beside the file.");
    }

    /// <summary>The noise schedule: the configuration's, else that of the family with what yaml and marks say.</summary>
    /// <exception cref="InvalidFileException">The yaml's numbers make no schedule.</exception>
    public static SchedulerOptions Schedule(Evidence evidence, ModelPrediction prediction)
    {
        if (evidence.Scheduler is { } configured)
            return configured with { Prediction = prediction };
        var (usual, yaml) = (evidence.Version == ModelVersion.Sd2 ? SchedulerOptions.Sd21 : SchedulerOptions.Sd15, evidence.Yaml);
        var toPureNoise = evidence.File.TryGet(ZeroSnrMark, out _);
        var options = usual with
        {
            ClassName = evidence.Version == ModelVersion.Sdxl ? "EulerDiscreteScheduler" : usual.ClassName,
            Prediction = prediction,
            BetaStart = yaml?.BetaStart ?? usual.BetaStart,
            BetaEnd = yaml?.BetaEnd ?? usual.BetaEnd,
            TrainTimesteps = yaml?.Timesteps ?? usual.TrainTimesteps,
            RescaleBetasZeroSnr = toPureNoise,
            TimestepSpacing = toPureNoise ? "trailing" : usual.TimestepSpacing,
        };
        var problems = options.Validate().ToArray();
        if (problems.Length == 0) return options;
        throw new InvalidFileException(
            yaml?.Path ?? evidence.File.Path,
                $"the noise schedule cannot work: {string.Join(" ", problems.Select(problem => problem.ToString()))}",
                "Correct 'linear_start', 'linear_end' and 'timesteps'.");
    }

    // Stability's model specification.
    private static (ModelPrediction, string)? FromMetadata(IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.GetValueOrDefault("modelspec.prediction_type") is "v" or "v_prediction")
            return (ModelPrediction.V, "from modelspec.prediction_type");
        if (metadata.GetValueOrDefault("modelspec.prediction_type") is "epsilon" or "eps")
            return (ModelPrediction.Epsilon, "from modelspec.prediction_type");
        if (metadata.GetValueOrDefault("modelspec.architecture") is not { } architecture) return null;
        if (architecture.Contains("-768-v", StringComparison.Ordinal)) return (ModelPrediction.V, "from modelspec.architecture");
        if (architecture.Contains("-v2-512", StringComparison.Ordinal)) return (ModelPrediction.Epsilon, "from modelspec.architecture");
        return null;
    }
}
