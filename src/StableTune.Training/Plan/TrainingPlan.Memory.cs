using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune;

public sealed partial record TrainingPlan
{
    /// <summary>Ways to need less memory. Default none but those that cost nothing.</summary>
    public MemoryOptions Memory { get; init; } = new();

    /// <summary>The parts whose own weights are trained.</summary>
    internal ModelParts TrainedParts => Trainables.OfType<ModelTrainableOptions>().Where(trainable => trainable.Trained)
        .Aggregate(ModelParts.None, (parts, trainable) => parts | trainable.TrainedParts(this));

    private IEnumerable<OptionProblem> MemoryProblems()
    {
        foreach (var problem in Memory.Validate()) yield return problem;
        foreach (var (asked, name, value) in new[]
        {
            (Memory.BlocksToSwap > 0, nameof(Memory.BlocksToSwap), (object)Memory.BlocksToSwap),
            (Memory.OffloadCheckpoints, nameof(Memory.OffloadCheckpoints), true),
        })
            if (asked && !GradientCheckpointing)
                yield return OfMemory(name, value, "it needs gradient checkpointing",
                    "call WithGradientCheckpointing(), or leave it unset");
        if (Memory.BlocksToSwap > 0 && TrainedParts.HasFlag(ModelParts.UNet))
            yield return OfMemory(nameof(Memory.BlocksToSwap), Memory.BlocksToSwap,
                "the UNet's own weights are trained: only frozen ones can wait in host memory", "leave it unset, or train an adapter");
        if (Memory.QuantizedWeights is not { } quantized) yield break;
        if ((quantized.Parts & TrainedParts) is not ModelParts.None and var trained)
            yield return OfMemory(nameof(Memory.QuantizedWeights), quantized.Quantization.Name,
                $"the weights of {trained} are trained: only frozen ones can be held in fewer bits",
                "choose other Parts, leave it unset, or train an adapter");
        else if (Trainables.Exists(trainable => trainable is ModelTrainableOptions { Trained: true }
            or VaeTrainableOptions { Trained: true, SaveWholeModel: true }))
            yield return OfMemory(nameof(Memory.QuantizedWeights), quantized.Quantization.Name,
                "the whole model is saved, and weights in fewer bits cannot be", "leave it unset, or train an adapter");
        if (GivenModel is not null)
            yield return OfMemory(nameof(Memory.QuantizedWeights), quantized.Quantization.Name,
                "the model that was given is the program's, and would be rounded for good",
                "give a path, or call Quantize() of the model's parts yourself");
    }

    /// <summary>What depends on the model's architecture.</summary>
    private IEnumerable<OptionProblem> MemoryProblems(ModelConfiguration? model)
    {
        if (Memory.BlocksToSwap <= 0) yield break;
        using var shapes = GivenModel is null ? model?.WithoutWeights() : null;
        var unet = (shapes ?? GivenModel) is { } found && found.Parts.HasFlag(ModelParts.UNet) ? found.UNet : null;
        if (unet is not null && Memory.BlocksToSwap > unet.Segments)
            yield return OfMemory(nameof(Memory.BlocksToSwap), Memory.BlocksToSwap,
                $"the model's UNet has {unet.Segments} resnets and transformer blocks", $"give at most {unet.Segments}");
    }

    private static OptionProblem OfMemory(string name, object value, string rule, string remedy) =>
        new($"{nameof(MemoryOptions)}.{name}", value, rule, remedy);
}
