using StableTune.Adapters;
using StableTune.Data;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>What is odd about a run but works: told to the logger when it starts.</summary>
internal static class PlanWarnings
{
    /// <summary>One sentence or two for each oddity: option, value, remedy.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="model">The base model.</param>
    /// <param name="trainables">What is trained or applied, attached.</param>
    /// <param name="dataset">The images; null for a run without.</param>
    /// <param name="tokenizer">The base model's; null leaves the length of captions unchecked.</param>
    public static IEnumerable<string> Of(
        TrainingPlan plan, StableDiffusionModel model, IEnumerable<ITrainable> trainables, TrainingDataset? dataset,
        ITextTokenizer? tokenizer)
    {
        if (!NativeBackend.Describe().KeepsNumbers)
            yield return "This program was built without the targets of StableTune's packages: a garbage collection in the middle of a "
                + "tensor operation can, seldom, make it fail. Refer to the packages from the program's own project.";
        if (dataset is not null && model.Parts.HasFlag(ModelParts.UNet) && OddSize(dataset, model.UNet.Options) is { } size)
            yield return size;
        if (model.Device.type == DeviceType.CPU && HalfPrecision.IsStorageOnly(plan.Precision.Compute))
            yield return $"PrecisionPolicy.Compute is {plan.Precision.Compute}: "
                + (plan.Precision.Compute == ScalarType.Float16 ? "CPUs do not compute in it here. "
                    : "this processor is not faster with it. ")
                + "Weights are held in it, and products are computed in Float32.";
        if (OldGpu(plan.Precision.Compute, NativeBackend.ComputeCapability(model.Device)) is { } gpu) yield return gpu;
        foreach (var (asked, name) in new[]
        {
            (plan.Memory.BlocksToSwap > 0, nameof(MemoryOptions.BlocksToSwap)),
            (plan.Memory.OffloadCheckpoints, nameof(MemoryOptions.OffloadCheckpoints)),
        })
            if (asked && model.Device.type == DeviceType.CPU)
                yield return $"MemoryOptions.{name}: it has no effect on the CPU, where everything lies in host memory. Leave it unset.";
        if (plan.ClipSkip is { } layer && model.Version == ModelVersion.Sd2)
            yield return $"TrainingPlan.ClipSkip is {layer}: the text encoder of Stable Diffusion 2 ends one layer early already, and "
                + $"layers are counted from there. Leave it unset unless the model was made so.";
        if (plan.ClipSkip is { } ignored && model.Version == ModelVersion.Sdxl)
            yield return $"TrainingPlan.ClipSkip is {ignored}: it is not looked at, because SDXL takes fixed layers of its text "
                + $"encoders. Leave it unset.";
        if (plan.ZeroTerminalSnr && model.Scheduler.Prediction != ModelPrediction.V)
            yield return "TrainingPlan.ZeroTerminalSnr is True: the model does not predict velocity, and at the last timestep, which is "
                + "nothing but noise, another prediction learns nothing of the picture. Turn it off unless the model was made so.";
        if (plan.Loss.Weightings.Any(weighting => weighting is MinSnrWeighting) && plan.Loss.Weightings.Any(w => w is DebiasedWeighting))
            yield return "TrainingPlan.Loss has MinSnrWeighting and DebiasedWeighting: both weigh by the signal-to-noise ratio, and they "
                + "multiply. One is customary.";
        if (plan.ScaleLearningRate)
            yield return FormattableString.Invariant(
                $"TrainingPlan.ScaleLearningRate: every learning rate is multiplied by {plan.LearningRateScale}, ")
                + FormattableString.Invariant($"so that {plan.LearningRate} becomes {plan.LearningRate * plan.LearningRateScale}.");
        if (plan.Samples is { EveryNEpochs: { } epochs, EveryNSteps: { } steps })
            yield return $"SampleOptions.EveryNSteps is {steps}: it is not looked at, because EveryNEpochs is {epochs}. Set only one of "
                + $"them.";
        if (plan.WeightedCaptions
            && dataset?.Samples.FirstOrDefault(sample =>
                sample.Subset.Captions is { Shuffle: true } or { TagDropoutRate: > 0 } && CutsBrackets(sample)) is { } torn)
        {
            var told = torn.Subset.Captions;
            var (option, work) = told.Shuffle ? ("Shuffle is True", "shuffling tears")
                : (FormattableString.Invariant($"TagDropoutRate is {told.TagDropoutRate}"), "dropping tags tears");
            yield return $"CaptionOptions.{option}: the caption of {torn.Path} has \"{told.Separator}\" inside brackets, which {work} "
                + $"apart. "
                + "Weigh the parts one by one.";
        }

        if (tokenizer is not null && dataset is not null && TooLong(dataset, tokenizer, plan.MaxTokenLength) is { } captions)
            yield return captions;
        foreach (var warning in plan.Optimizer.Warnings(plan)) yield return warning;
        foreach (var warning in plan.Optimizer.RateWarnings([.. trainables.SelectMany(trainable => trainable.Groups)]))
            yield return warning;
        foreach (var warning in trainables.SelectMany(trainable => trainable.Warnings)) yield return warning;
        if (dataset is null) yield break;
        foreach (var warning in plan.Trainables.SelectMany(trainable => trainable.Warnings(plan, dataset))) yield return warning;
    }

    /// <summary>bfloat16 on a GPU that computes it in a roundabout way; null for none.</summary>
    /// <param name="compute">What is computed in.</param>
    /// <param name="capability">The GPU's compute capability; null for other devices.</param>
    internal static string? OldGpu(ScalarType compute, Version? capability) =>
        compute == ScalarType.BFloat16 && capability is { Major: < 8 }
            ? $"PrecisionPolicy.Compute is BFloat16: this GPU has compute capability {capability}, and bfloat16 in hardware begins with "
                + "8.0. Use PrecisionPolicy.Float16 (mixed_precision fp16), which is quicker there."
            : null;

    /// <summary>Training sizes that the UNet's levels do not divide evenly; null for none.</summary>
    private static string? OddSize(TrainingDataset dataset, UNetOptions unet)
    {
        // A latent pixel is 8 pixels, and each further level of the UNet halves: 64 for SD 1.x and 2.x, 32 for SDXL.
        var multiple = 8 << (unet.BlockOutChannels.Count - 1);
        return dataset.Buckets.Select(bucket => bucket.Size)
            .FirstOrDefault(size => size.Width % multiple != 0 || size.Height % multiple != 0) is { Width: > 0 } odd
            ? $"DatasetOptions.Resolution or AspectBuckets.Step gives a training size of {odd}: sides that are multiples of {multiple} "
                + $"suit "
                + "this model's UNet. Others train too, with borders of unlike weight."
            : null;
    }

    private static bool CutsBrackets(TrainingSample sample)
    {
        var depth = 0;
        foreach (var part in sample.Caption.Split(sample.Subset.Captions.Separator).SkipLast(1))
        {
            depth += part.Count(letter => letter is '(' or '[') - part.Count(letter => letter is ')' or ']');
            if (depth > 0) return true;
        }

        return false;
    }

    /// <summary>Captions of which the end is never seen; null for none. Of a caption of several lines, which are drawn from, the longest
    /// counts.</summary>
    private static string? TooLong(TrainingDataset dataset, ITextTokenizer tokenizer, int limit)
    {
        var encoded = dataset.Samples.Where(sample => sample.Item.TextOutputsPath is null);
        var cut = encoded.Select(sample => (sample.Path, Tokens: sample.Caption.Split('\n').Max(tokenizer.CountTokens)))
            .Where(sample => sample.Tokens > limit).ToList();
        if (cut.Count == 0) return null;
        var longest = cut.MaxBy(sample => sample.Tokens);
        return $"TrainingPlan.MaxTokenLength is {limit}: {cut.Count} captions are longer, and their ends are cut off (that of "
            + $"{longest.Path} has {longest.Tokens} tokens). Shorten them, or allow more tokens.";
    }
}
