namespace StableTune.Torch;

/// <summary>The node of a linear layer whose weight is trained, with all its products by <see cref="OneDnn"/>.</summary>
/// <remarks>
/// Most is gained with the narrow weights of adapters: MKL takes up to twenty times as long for the gradient of 8 columns, where it is slow
/// at all.
/// </remarks>
internal sealed class TrainedLinear : autograd.SingleTensorFunction<TrainedLinear>
{
    private const string Key = "call";

    public override string Name => "StableTune.TrainedLinear";

    /// <summary>Whether the weight wants a gradient and oneDNN is the quicker way.</summary>
    internal static bool Serves(Tensor input, Tensor weight, Tensor? bias) =>
        is_grad_enabled() && weight.requires_grad && weight.dtype == input.dtype && (bias is null || bias.dtype == input.dtype)
            && LinearProduct.IsQuickerByOneDnn(input, weight) && (bias is null || bias.numel() == weight.size(0));

    /// <summary>Computes the product and records the node.</summary>
    internal static Tensor Apply(Tensor input, Tensor weight, Tensor? bias)
    {
        GradientFaults.ThrowPending();
        // TorchSharp's node holds an empty tensor of the output's size for as long as the scope lets it.
        using var scope = NewDisposeScope();
        Tensor output;
        using (no_grad()) output = LinearProduct.Instance.Compute(input, weight, bias).detach();
        var call = new Call(output, input.requires_grad, bias is { requires_grad: true }, GradientFaults.OfThisThread);
        return (bias is null ? apply(call, input, weight) : apply(call, input, weight, bias)).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var call = (Call)vars[0];
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([(Tensor)vars[1], (Tensor)vars[2]]);
        ctx.save_data(Key, call with { Output = null!, HasBias = vars.Length > 3 });
        return call.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var call = (Call)ctx.get_data(Key);
        return ReturnedGradients.Compute(call.HasBias ? 4 : 3, call.Faults, grad_output, gradients =>
        {
            var saved = ctx.get_saved_variables();
            var (input, weight) = (saved[0], saved[1]);
            // [rows, out] and [rows, in]
            var (gradient, rows) = (grad_output.reshape(-1, weight.size(0)).contiguous(), input.reshape(-1, weight.size(1)).contiguous());
            if (call.WantsInput) gradients[1] = OneDnn.Multiply(gradient, weight.t()).view(input.shape);
            gradients[2] = OfWeight(gradient, rows);
            if (call.WantsBias) gradients[3] = gradient.sum(0L);
        });
    }

    /// <summary>gradientᵀ · rows. The narrower of the two is the one that is turned around.</summary>
    /// <param name="gradient">[rows, out]</param>
    /// <param name="rows">[rows, in]</param>
    /// <returns>[out, in]</returns>
    private static Tensor OfWeight(Tensor gradient, Tensor rows) => gradient.size(1) <= rows.size(1)
        ? OneDnn.Multiply(gradient.t().contiguous(), rows.t())
        : OneDnn.Multiply(rows.t().contiguous(), gradient.t()).t().contiguous();

    private sealed record Call(Tensor Output, bool WantsInput, bool WantsBias, GradientFaults Faults)
    {
        internal bool HasBias { get; init; }
    }
}
