namespace StableTune.Optimizers;

/// <summary>
/// AdamW that remembers both moments in eight bits, with a scale for each 256 elements: 2 bytes for each weight instead of 8. As
/// bitsandbytes' <c>AdamW8bit</c>; parameters below 4096 elements are remembered in float32.
/// </summary>
/// <remarks>
/// Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101; Dettmers et al.: 8-bit Optimizers via Block-wise
/// Quantization, arXiv:2110.02861. Weights decay before the step, as on bitsandbytes' CPU path and in torch; bitsandbytes' CUDA kernels let
/// them decay after it.
/// </remarks>
public sealed record AdamW8bitOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <inheritdoc/>
    /// <remarks>As the reference, only what differs from bitsandbytes' own defaults, in Python's spelling.</remarks>
    public override string ReferenceName
    {
        get
        {
            List<string> arguments = [];
            if (WeightDecay != 0.01) arguments.Add($"weight_decay={PythonRepr.Of(WeightDecay)}");
            if ((Beta1, Beta2) != (0.9, 0.999)) arguments.Add($"betas=({PythonRepr.Of(Beta1)}, {PythonRepr.Of(Beta2)})");
            if (Epsilon != 1e-8) arguments.Add($"eps={PythonRepr.Of(Epsilon)}");
            return "bitsandbytes.optim.adamw.AdamW8bit" + (arguments.Count == 0 ? "" : $"({string.Join(",", arguments)})");
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Beta1 is not (>= 0 and < 1)) yield return Problem(Beta1, "beta 1 must lie in [0, 1)", "0.9 is customary");
        if (Beta2 is not (>= 0 and < 1)) yield return Problem(Beta2, "beta 2 must lie in [0, 1)", "0.999 is customary");
        if (Epsilon is not (> 0 and < double.PositiveInfinity))
            yield return Problem(Epsilon, "epsilon must be positive", "1e-8 is customary");
        if (WeightDecay is not (>= 0 and < double.PositiveInfinity))
            yield return Problem(WeightDecay, "the weight decay must not be negative", "0.01 is customary, 0 turns it off");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdamW8bit(this, groups);
}

/// <summary>
/// AdamW's step on moments that are read from eight bits and written back; the weights see the new moments before they are rounded.
/// </summary>
internal sealed class AdamW8bit(AdamW8bitOptions options, IReadOnlyList<ParameterGroup> groups)
    : StatefulOptimizer(groups, [.. First.Slots, .. Second.Slots])
{
    private static readonly EightBitSlot First = new("m", BlockwiseQuantization.Signed);
    private static readonly EightBitSlot Second = new("v", BlockwiseQuantization.Unsigned);

    protected override void Update(OptimizerUpdate update)
    {
        var (m, v, weights) = (First.Read(update), Second.Read(update), update.Weights);
        // The kernel wants all of one type and layout: weights in half precision, or channels last, are changed in a copy.
        Tensor[] changed = [.. weights.Select(weight => IsPlain(weight) ? weight : weight.to(ScalarType.Float32).contiguous())];
        Tensor[] gradients = [.. update.Gradients.Select(gradient => gradient.to(ScalarType.Float32))];
        Tensor[] steps = [.. Enumerable.Repeat(full([], (float)update.Step, device: weights[0].device), weights.Length)];
        FusedAdamW.Step(
            new AdamWTensors(changed, gradients, m, v, null, steps),
            new AdamWRates(
                update.LearningRate, options.Beta1, options.Beta2, options.Epsilon, update.Group.WeightDecay ?? options.WeightDecay));
        foreach (var (weight, copy) in weights.Zip(changed).Where(pair => !ReferenceEquals(pair.First, pair.Second))) weight.copy_(copy);
        First.Write(update, m);
        Second.Write(update, v);
    }

    private static bool IsPlain(Tensor weight) => weight.dtype == ScalarType.Float32 && weight.is_contiguous();
}
