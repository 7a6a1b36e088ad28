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
public sealed record AdamW8bitOptions : AdamFamilyOptions
{
    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adamw.AdamW8bit";

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
