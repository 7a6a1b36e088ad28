using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Training;

/// <summary>Samples by the captions of the images that are trained.</summary>
internal static class CaptionSamples
{
    private const int Multiple = TextToImageOptions.SizeMultiple;

    /// <summary>The prompts of a run: those that are given, and the first captions of its images.</summary>
    /// <param name="options">How many captions, and how they are drawn.</param>
    /// <param name="dataset">The images; null for a run without.</param>
    /// <param name="withControl">Whether something looks at the control pictures of the images.</param>
    public static SampleOptions Filled(SampleOptions options, TrainingDataset? dataset, bool withControl)
    {
        if (options.CaptionCount == 0 || dataset is null) return options;
        var chosen = dataset.Samples.DistinctBy(sample => sample.Caption, StringComparer.Ordinal).Take(options.CaptionCount);
        return options with
        {
            Prompts = options.Prompts.AddRange(chosen.Select((sample, i) =>
            {
                var caption = CaptionPipeline.From(sample.Subset.Captions with { DropoutRate = 0, DropoutEveryNEpochs = 0 })
                    .Apply(sample.Caption, new CaptionUse(1, 0, 0, new RandomStream(i)));
                var prompt = options.Captions with { Prompt = caption, Seed = options.Captions.Seed + i };
                if (!withControl || sample.Item.ConditioningPath is not { } path) return prompt;
                // The picture says the size, as in sd-trainer.
                var control = ImageFile.Load(path);
                var (width, height) = (Rounded(control.Width), Rounded(control.Height));
                return prompt with { Width = width, Height = height, ControlImage = ImageResize.Resize(control, width, height) };
            })),
        };
    }

    private static int Rounded(int pixels) => Math.Max(Multiple, pixels / Multiple * Multiple);
}
