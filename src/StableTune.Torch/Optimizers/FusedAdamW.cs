namespace StableTune.Torch;

/// <summary>One step of AdamW over lists of tensors in one operator: an adapter has hundreds of small tensors, each of which would cost a
/// dozen calls.</summary>
public static class FusedAdamW
{
    private static readonly Operator Kernel = new("aten::_fused_adamw_"), Coupled = new("aten::_fused_adam_");

    /// <summary>Updates parameters and moments in place.</summary>
    /// <param name="tensors">Parameters, gradients, moments and step counts; all lists are of the same length.</param>
    /// <param name="rates">The rates of this step.</param>
    /// <exception cref="ArgumentException">The lists are of different lengths, or tensors at the same place of different sizes, types or
    /// strides (gradients may have any).</exception>
    /// <exception cref="TorchException">libtorch refuses the tensors, such as for their devices.</exception>
    /// <remarks>Loshchilov and Hutter, Decoupled weight decay regularization, arXiv:1711.05101; as <c>torch.optim.AdamW</c> with
    /// <c>fused=True</c>.</remarks>
    public static void Step(AdamWTensors tensors, AdamWRates rates)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(rates);
        Check(tensors);
        using var scope = NewDisposeScope();
        (rates.DecayIsCoupled ? Coupled : Kernel).Do(
            tensors.Parameters, tensors.Gradients.Zip(tensors.Parameters, LaidOutAs).ToArray(), tensors.Averages, tensors.Squares,
                tensors.LargestSquares ?? [], tensors.Steps,
            rates.LearningRate, rates.Beta1, rates.Beta2, rates.WeightDecay, rates.Epsilon,
            tensors.LargestSquares is not null, false, OperatorArgument.None, OperatorArgument.None);
    }

    /// <summary>libtorch's kernel goes through memory, whatever the strides.</summary>
    private static Tensor LaidOutAs(Tensor gradient, Tensor parameter) =>
        HaveOneLayout(gradient, parameter) ? gradient : empty_like(parameter).copy_(gradient);

    private static bool HaveOneLayout(Tensor a, Tensor b) =>
        (a.is_contiguous() && b.is_contiguous()) || a.stride().SequenceEqual(b.stride());

    /// <summary>libtorch's kernel trusts the sizes: it would read and write past the end of a smaller tensor.</summary>
    private static void Check(AdamWTensors tensors)
    {
        var parameters = tensors.Parameters;
        Check(tensors.Gradients, nameof(tensors.Gradients), anyLayout: true);
        Check(tensors.Averages, nameof(tensors.Averages));
        Check(tensors.Squares, nameof(tensors.Squares));
        if (tensors.LargestSquares is { } largest) Check(largest, nameof(tensors.LargestSquares));
        if (tensors.Steps.Length != parameters.Length) throw Count(nameof(tensors.Steps), tensors.Steps.Length);

        void Check(Tensor[] list, string name, bool anyLayout = false)
        {
            if (list.Length != parameters.Length) throw Count(name, list.Length);
            for (var k = 0; k < list.Length; k++)
            {
                if (list[k].numel() != parameters[k].numel() || list[k].dtype != parameters[k].dtype)
                    throw Unfit(
                        $"{name}[{k}] is {TorchException.Describe(list[k])}, its parameter {TorchException.Describe(parameters[k])}");
                if (!anyLayout && !HaveOneLayout(list[k], parameters[k])) throw Unfit($"{name}[{k}] has other strides than its parameter");
            }
        }

        ArgumentException Count(string name, int count) => Unfit($"{name} holds {count} tensors for {parameters.Length} parameters");

        static ArgumentException Unfit(string what) => new($"AdamW: {what}.", nameof(tensors));
    }
}

/// <summary>What a step of AdamW reads and changes.</summary>
/// <param name="Parameters">What is trained; changed in place.</param>
/// <param name="Gradients">Their gradients.</param>
/// <param name="Averages">Running means of the gradients; changed in place.</param>
/// <param name="Squares">Running means of the squared gradients; changed in place.</param>
/// <param name="LargestSquares">The largest of these so far (AMSGrad); changed in place. Null without AMSGrad.</param>
/// <param name="Steps">The number of this step, counted from 1, for each tensor: float32 scalar tensors, [].</param>
public sealed record AdamWTensors(
    Tensor[] Parameters, Tensor[] Gradients, Tensor[] Averages, Tensor[] Squares, Tensor[]? LargestSquares, Tensor[] Steps);

/// <summary>Rates of one step of AdamW.</summary>
/// <param name="LearningRate">Size of the step.</param>
/// <param name="Beta1">How much of the mean gradient is kept, below 1.</param>
/// <param name="Beta2">How much of the mean squared gradient is kept, below 1.</param>
/// <param name="Epsilon">Added to the denominator.</param>
/// <param name="WeightDecay">Share of the weight, times the learning rate, that is taken off.</param>
public sealed record AdamWRates(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay)
{
    /// <summary>Whether the weight decay is added to the gradient (times the weight, not times the rate) instead of taken off the weight,
    /// as in Adam before AdamW. Default false.</summary>
    public bool DecayIsCoupled { get; init; }
}
