using System.Globalization;
using StableTune.Data;

namespace StableTune;

/// <summary>How many steps a run takes, and how often it sees each image: the sums that are easily got wrong.</summary>
public sealed record StepCount
{
    /// <summary>Training images in an epoch, repeats included; 0 for a run without images.</summary>
    public required int TrainingImages { get; init; }

    /// <summary>Regularisation images in an epoch, as often as they are used.</summary>
    public required int RegularizationImages { get; init; }

    /// <summary>Batches in an epoch: each training size has a last batch of its own that may be smaller.</summary>
    public required int BatchesPerEpoch { get; init; }

    /// <summary>Batches whose gradients make one step.</summary>
    public required int Accumulation { get; init; }

    /// <summary>Optimizer steps in an epoch.</summary>
    public required int StepsPerEpoch { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public required int TotalSteps { get; init; }

    /// <summary>Epochs of the run; the last may be cut short.</summary>
    public required int TotalEpochs { get; init; }

    /// <summary>Whether each training image is trained beside a regularisation image (<see cref="PriorStyle.Paired"/>).</summary>
    public required bool IsPaired { get; init; }

    /// <summary>How often training images are seen in all, about.</summary>
    public long TrainingImagesSeen => StepsPerEpoch == 0 ? 0 : (long)Math.Round((double)TrainingImages * TotalSteps / StepsPerEpoch);

    /// <summary>The sums in sentences.</summary>
    public override string ToString()
    {
        if (TrainingImages == 0) return string.Create(CultureInfo.InvariantCulture, $"{TotalSteps} steps, without images.");
        var images = RegularizationImages == 0 ? $"{TrainingImages} images"
            : $"{TrainingImages} training images and {RegularizationImages} regularisation images";
        var text = string.Create(CultureInfo.InvariantCulture,
            $"An epoch has {images} (with repeats) in {BatchesPerEpoch} batches, and {StepsPerEpoch} steps of {Accumulation} batch(es). ")
            + string.Create(CultureInfo.InvariantCulture,
            $"{TotalSteps} steps are {(double)TotalSteps / StepsPerEpoch:0.##} epochs, in which training images are seen ")
            + string.Create(CultureInfo.InvariantCulture, $"{TrainingImagesSeen} times.");
        return RegularizationImages == 0 ? text : text + (IsPaired
            ? " Each comes together with a regularisation image, so a batch is twice as large."
            : " Regularisation images take steps of their own: for as many views of the subject, give as many steps again.");
    }

    internal static StepCount Of(TrainingPlan plan, TrainingDataset? dataset)
    {
        var length = Training.RunLength.Of(plan, dataset);
        int Count(bool regularization) => dataset?.Buckets.Sum(bucket => bucket.Entries.Concat(bucket.Pairs ?? [])
            .Count(entry => dataset.Samples[entry].Subset.IsRegularization == regularization)) ?? 0;
        return new StepCount
        {
            TrainingImages = Count(false), RegularizationImages = Count(true), BatchesPerEpoch = length.BatchesPerEpoch,
            Accumulation = plan.GradientAccumulation, TotalSteps = length.TotalSteps, TotalEpochs = length.TotalEpochs,
            StepsPerEpoch = dataset is null ? length.TotalSteps : plan.StepsPerEpoch(dataset),
            IsPaired = dataset?.Options.PriorStyle == PriorStyle.Paired,
        };
    }
}
