using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>What training reads of one image, as it is without augmentation.</summary>
/// <param name="Sample">The image.</param>
/// <param name="Image">The picture, resized and cut; null when it cannot be read, or is gone and trained from its latents.</param>
/// <param name="Second">Its second image; null when there is none, or something cannot be read.</param>
/// <param name="Fault">What cannot be read; null when all can.</param>
internal sealed record SampleFiles(TrainingSample Sample, PixelImage? Image, PixelImage? Second, OptionProblem? Fault)
{
    /// <summary>What is wrong in words, beginning in lower case; names the file where it is not the image itself.</summary>
    internal string? FaultText => Fault is null ? null : Equals(Fault.Value, Sample.Path) ? Fault.Rule : $"{Fault.Value}: {Fault.Rule}";

    /// <summary>Reads every file of an image that training would.</summary>
    internal static SampleFiles Read(TrainingSample sample)
    {
        try
        {
            if (sample.Item.MaskPath is not null) SampleMask.Check(sample);
            if (sample.Item.PromptFreePath is not null) PromptFreeFeatures.Read(sample.Item.PromptFreePath);
            if (sample.Item.TextOutputsPath is not null) PrecomputedTextOutputs.Read(sample.Item.TextOutputsPath);
            var second = sample.Item.ConditioningPath is null ? null : ImagePreparation.LoadConditioning(sample, ImageDraw.Plain(sample));
            return new(sample, sample.Item.IsCachedOnly ? null : ImagePreparation.Load(sample), second, null);
        }
        catch (InvalidFileException e)
        {
            return new(sample, null, null, e.AsProblem("DatasetItem.Path"));
        }
    }

    /// <summary>
    /// Reads the files of many images, several at once, and keeps of each what <paramref name="keep"/> makes of it, in their order.
    /// </summary>
    internal static List<T> ReadAll<T>(IReadOnlyList<TrainingSample> samples, string stage, Func<SampleFiles, T> keep,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken) where T : class =>
        OrderedWork.Run(samples.Count, new BatchLoaderOptions().Workers, stage, index => keep(Read(samples[index])), progress,
            cancellationToken);

    /// <summary>The images that training could not read, with what is wrong.</summary>
    internal static List<(TrainingSample Sample, OptionProblem Fault)> Bad(IReadOnlyList<TrainingSample> samples,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken) =>
        [.. from files in ReadAll(samples, "checking images", files => files with { Image = null, Second = null }, progress,
            cancellationToken)
            where files.Fault is not null
            select (files.Sample, files.Fault)];
}
