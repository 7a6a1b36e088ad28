using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Trainables;

/// <summary>A tensor of the model that is trained.</summary>
/// <param name="Module">The UNet or a text encoder.</param>
/// <param name="Name">Its full name: <c>unet.conv_in.weight</c>.</param>
/// <param name="Group">The group of its rate.</param>
/// <param name="Rate">The learning rate, above 0.</param>
/// <param name="Value">The tensor.</param>
internal readonly record struct TrainedTensor(nn.Module Module, string Name, string Group, double Rate, Tensor Value);

/// <summary>Which tensors of a model are trained, and how fast.</summary>
internal static class ModelRates
{
    /// <summary>The trained tensors: the UNet's, then those of the text encoders.</summary>
    /// <param name="options">Says parts, names and rates.</param>
    /// <param name="plan">Says the rates that the options leave open.</param>
    /// <param name="model">The model; its weights are not looked at.</param>
    public static IEnumerable<TrainedTensor> Of(ModelTrainableOptions options, TrainingPlan plan, StableDiffusionModel model)
    {
        var parts = options.TrainedParts(plan);
        var own = options.Name is { } name ? name + " " : "";
        if (parts.HasFlag(ModelParts.UNet) && model.Parts.HasFlag(ModelParts.UNet))
            foreach (var tensor in Chosen(options, model.UNet, "unet", UNetGroup(options, plan, model.UNet)))
                if (!plan.UpBlocksOnly || tensor.Name.StartsWith("unet.up_blocks.", StringComparison.Ordinal))
                    yield return tensor with { Group = own + tensor.Group };
        if (!parts.HasFlag(ModelParts.TextEncoder) || !model.Parts.HasFlag(ModelParts.TextEncoder)) yield break;
        var encoders = model.TextEncoders.ToList();
        double[] rates = [.. encoders.Select((_, i) => options.RateOf(plan, ModelParts.TextEncoder, i))];
        for (var i = 0; i < encoders.Count; i++)
        {
            var (rate, group) = (rates[i], rates.Distinct().Count() == 1 ? "textencoder" : $"textencoder {i + 1}");
            foreach (var tensor in Chosen(options, encoders[i], i == 0 ? "text_encoder" : "text_encoder_2", _ => (group, rate)))
                yield return tensor with { Group = own + tensor.Group };
        }
    }

    private static IEnumerable<TrainedTensor> Chosen(
        ModelTrainableOptions options, nn.Module module, string part, Func<string, (string Group, double Rate)> groupOf)
    {
        foreach (var (name, parameter) in module.named_parameters())
        {
            var full = $"{part}.{name}";
            if (options.Include.Count > 0 && !Occurs(options.Include, full)) continue;
            if (Occurs(options.Exclude, full)) continue;
            var (group, rate) = groupOf(name);
            if (rate > 0) yield return new TrainedTensor(module, full, group, rate, parameter);
        }
    }

    private static bool Occurs(IReadOnlyList<string> patterns, string name) =>
        patterns.Any(pattern => Regex.IsMatch(name, pattern, RegexOptions.CultureInvariant));

    /// <summary>A group for each block where blocks have rates of their own.</summary>
    private static Func<string, (string Group, double Rate)> UNetGroup(
        ModelTrainableOptions options, TrainingPlan plan, UNet2DConditionModel unet)
    {
        var rate = options.RateOf(plan, ModelParts.UNet);
        if (options is { BlockRates: null, BlockLearningRates: null }) return _ => ("unet", rate);
        var blocks = new ModelBlocks(unet.Options);
        var rates = options.BlockLearningRates
            ?? [.. options.BlockRates!.Factors(unet.Options.TakesAddedConditions).Select(factor => factor * rate)];
        return name =>
        {
            var block = blocks.IndexOf(name);
            return (string.Create(CultureInfo.InvariantCulture, $"unet block {block}"), rates[block]);
        };
    }
}
