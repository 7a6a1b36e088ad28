using StableTune.Data;
using StableTune.Models;
using StableTune.Training;

namespace StableTune;

public sealed partial record TrainingPlan
{
    /// <summary>What models with further input channels are told beside the text: pictures with parts masked, depth maps.</summary>
    /// <param name="kind">What the UNet takes.</param>
    /// <param name="dataset">The images; null where there are none yet.</param>
    private IEnumerable<OptionProblem> InputProblems(ModelKind kind, TrainingDataset? dataset)
    {
        const string maps = "SubsetOptions.ConditioningFolder";
        if (kind == ModelKind.Inpainting && AsksForLatents)
            yield return new OptionProblem(
                LatentsOption, true, "an inpainting model is trained on pictures with parts masked, which differ in every step",
                "leave it unset");
        foreach (var prompt in Samples?.Prompts ?? [])
        {
            if (kind == ModelKind.Depth && prompt.DepthMap is null)
                yield return new OptionProblem($"{nameof(TextToImageOptions)}.{nameof(TextToImageOptions.DepthMap)}", null,
                    $"the model draws by depth maps, and the sample \"{ShortText.Of(prompt.Prompt)}\" has none", "give each sample one");
            if (kind == ModelKind.Inpainting && prompt.Inpainting is null)
                yield return new OptionProblem($"{nameof(TextToImageOptions)}.{nameof(TextToImageOptions.Inpainting)}", null,
                    $"the model paints into pictures, and the sample \"{ShortText.Of(prompt.Prompt)}\" has none",
                    "give each sample a picture and a mask");
        }

        if (kind != ModelKind.Depth || dataset is null || !Method.Needs.HasFlag(MethodNeeds.UNet) || Stages.Conditions is not null)
            yield break;
        TrainingSample[] samples = [.. dataset.Samples, .. dataset.Validation?.Samples ?? []];
        if (samples.FirstOrDefault(sample => sample.Item.ConditioningPath is null) is { } without)
            yield return new OptionProblem(maps, null, $"the model is trained with depth maps, and {without.Path} has none",
                "name a folder with a map of the same name for each image");
        else if (samples.FirstOrDefault(sample => sample.Subset.Mask == LossMask.Conditioning) is { } mask)
            yield return new OptionProblem("SubsetOptions.Mask", LossMask.Conditioning,
                $"the second images are depth maps here, and cannot be masks too ({mask.Path})",
                "give masks in the alpha channel (LossMask.Alpha), or leave them out");
    }
}
