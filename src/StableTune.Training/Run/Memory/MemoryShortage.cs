using StableTune.Models;
using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>Recognises that memory ran out, and says what took it and what to switch on.</summary>
internal static class MemoryShortage
{
    private static readonly string[] s_signs = ["out of memory", "can't allocate memory", "not enough memory",
        "CUBLAS_STATUS_ALLOC_FAILED"];

    /// <summary>Whether a fault says so.</summary>
    public static bool Is(Exception fault) =>
        fault is OutOfMemoryException || s_signs.Any(sign => fault.Message.Contains(sign, StringComparison.OrdinalIgnoreCase))
            || (fault.InnerException is { } inner && Is(inner));

    /// <summary>The fault to throw in its place.</summary>
    public static TrainingMemoryException Explain(Exception fault, TrainingPlan plan, StableDiffusionModel model, IOptimizer optimizer)
    {
        var held = new Dictionary<string, long>(StringComparer.Ordinal)
        {
            ["base weights"] = Modules(model).SelectMany(module => module.parameters()).Where(parameter => !parameter.requires_grad)
                .Sum(Bytes),
            ["trained weights"] = Trained(optimizer).Sum(Bytes),
            ["gradients"] = Trained(optimizer).Select(parameter => parameter.grad).OfType<Tensor>().Sum(Bytes),
            ["optimizer state"] = (optimizer as StatefulOptimizer)?.StateBytes ?? 0,
        };
        var list = string.Join(", ", held.Where(entry => entry.Value > 0)
            .Select(entry => $"{entry.Key} {TrainingMemoryException.Size(entry.Value)}"));
        var advice = Advice(plan, model.Device).ToList();
        return new TrainingMemoryException(
            $"Memory ran out on {model.Device} ({FirstLine(fault.Message)}). The run holds {list}; the rest is what a step keeps for its "
                + $"backward pass. "
            + (advice.Count == 0 ? "Take smaller pictures." : $"To need less: {string.Join("; ", advice)}."), fault)
        {
            Held = held,
        };
    }

    /// <summary>Calls of the builder that the plan has not made, and that make a run smaller.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="device">Where it takes place.</param>
    public static IEnumerable<string> Advice(TrainingPlan plan, Device device)
    {
        if (!plan.GradientCheckpointing) yield return "WithGradientCheckpointing()";
        if (plan.Precision == PrecisionPolicy.Float32) yield return "WithPrecision(PrecisionPolicy.BFloat16)";
        if (plan.TrainedParts != ModelParts.None && plan.Optimizer is AdamWOptions) yield return "WithOptimizer(new AdamW8bitOptions())";
        var isFrozen = !plan.TrainedParts.HasFlag(ModelParts.UNet);
        if (isFrozen && plan.GivenModel is null && plan.Memory.QuantizedWeights is null)
            yield return "WithQuantizedWeights(WeightQuantization.Float8)";
        if (isFrozen && device.type != DeviceType.CPU && plan.Memory.BlocksToSwap == 0)
            yield return "WithBlockSwap(20) with WithGradientCheckpointing()";
        if (plan.Dataset.Options.BatchSize > 1)
            yield return $"WithBatchSize(1) with WithGradientAccumulation({plan.Dataset.Options.BatchSize * plan.GradientAccumulation})";
        if (plan.TrainsTextEncoder) yield return "TrainUNetOnly()";
        if (plan.Cache.Latents == false) yield return "WithCachedLatents(), so that the VAE is not needed in steps";
        yield return "smaller pictures (WithResolution)";
    }

    private static IEnumerable<nn.Module> Modules(StableDiffusionModel model)
    {
        if (model.Parts.HasFlag(ModelParts.UNet)) yield return model.UNet;
        if (model.Parts.HasFlag(ModelParts.Vae)) yield return model.Vae;
        foreach (var encoder in model.TextEncoders) yield return encoder;
    }

    private static IEnumerable<Tensor> Trained(IOptimizer optimizer) =>
        optimizer.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value);

    private static long Bytes(Tensor tensor) => tensor.numel() * tensor.element_size();

    private static string FirstLine(string message) => ShortText.Of(message.Split('\n')[0].Trim(), 160);
}
