using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static unsafe partial class engine
{
    private static readonly Operator s_fused_adamw = new("_fused_adamw_");

    /// <summary>True when this libtorch has AdamW as one operator: since 2.0 for CUDA, since 2.4 also for the CPU.</summary>
    public static bool has_fused_adamw => s_fused_adamw.Exists;

    /// <summary>One AdamW step over lists of tensors, in one operator. All lists have the same length.</summary>
    /// <param name="parameters">What is trained; changed in place.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="averages">Running means of the gradients; changed in place.</param>
    /// <param name="squares">Running means of the squared gradients; changed in place.</param>
    /// <param name="steps">Numbers of this step, counted from 1, as float32 scalar tensors.</param>
    /// <param name="settings">Rates of the step.</param>
    /// <exception cref="TorchException">This libtorch lacks the operator: ask <see cref="has_fused_adamw"/> first.</exception>
    public static void fused_adamw_(IEnumerable<Tensor> parameters, IEnumerable<Tensor> gradients, IEnumerable<Tensor> averages,
        IEnumerable<Tensor> squares, IEnumerable<Tensor> steps, AdamWSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        s_fused_adamw.Do(Argument.List(parameters), Argument.List(gradients), Argument.List(averages), Argument.List(squares),
            Argument.List(Array.Empty<Tensor>()), Argument.List(steps), settings.LearningRate, settings.Beta1, settings.Beta2, settings.WeightDecay,
            settings.Epsilon, false, false);
    }
}

/// <summary>Rates of one AdamW step.</summary>
/// <param name="LearningRate">Size of the step.</param>
/// <param name="Beta1">How much of the mean gradient is kept, below 1.</param>
/// <param name="Beta2">How much of the mean squared gradient is kept, below 1.</param>
/// <param name="Epsilon">Added to the denominator.</param>
/// <param name="WeightDecay">Share of the weight, times the learning rate, that is taken off.</param>
public sealed record AdamWSettings(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay);
