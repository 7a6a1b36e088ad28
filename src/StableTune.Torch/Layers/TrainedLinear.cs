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
        is_grad_enabled() && weight.requires_grad && weight.dtype == input.dtype && LinearProduct.IsQuickerByOneDnn(input, weight)
            && (bias is null || (bias.dtype == input.dtype && bias.dim() == 1 && bias.size(0) == weight.size(0)));

    /// <summary>Computes the product and records the node.</summary>
    internal static Tensor Apply(Tensor input, Tensor weight, Tensor? bias)
    {
        GradientFaults.ThrowPending();
        // TorchSharp's node holds an empty tensor of the output's size for as long as the scope lets it.
        using var scope = NewDisposeScope();
        Tensor output;
        using (no_grad()) output = LinearProduct.Instance.Compute(input, weight, bias).detach();
        var call = new Call(output, weight.size(1), weight.size(0), input.requires_grad, bias?.requires_grad, GradientFaults.OfThisThread);
        return (bias is null ? apply(call, input, weight) : apply(call, input, weight, bias)).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (call, input, weight) = ((Call)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        ctx.set_materialize_grads(false);
        // A weight that no gradient asks for may be changed meanwhile.
        ctx.save_for_backward(call.WantsInput ? [input, weight] : [input]);
        ctx.save_data(Key, call with { Output = null! });
        return call.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var call = (Call)ctx.get_data(Key);
        return ReturnedGradients.Compute(call.WantsBias is null ? 3 : 4, call.Faults, grad_output, gradients =>
        {
            var saved = ctx.get_saved_variables();
            // [rows, out] and [rows, in]
            var gradient = grad_output.reshape(-1, call.Outputs).contiguous();
            var rows = saved[0].reshape(-1, call.Inputs).contiguous();
            if (call.WantsInput) gradients[1] = Multiply(gradient, saved[1].t()).view(saved[0].shape);
            gradients[2] = OfWeight(gradient, rows);
            if (call.WantsBias == true) gradients[3] = gradient.sum(0L);
        });
    }

    /// <summary>gradientᵀ · rows. The narrower of the two is the one that is turned around.</summary>
    /// <param name="gradient">[rows, out]</param>
    /// <param name="rows">[rows, in]</param>
    /// <returns>[out, in]</returns>
    private static Tensor OfWeight(Tensor gradient, Tensor rows) => gradient.size(1) <= rows.size(1)
        ? Multiply(gradient.t().contiguous(), rows.t())
        : Multiply(rows.t().contiguous(), gradient.t()).t().contiguous();

    /// <summary>left · rightᵀ, recorded where a second derivative is asked for, which oneDNN's is not.</summary>
    private static Tensor Multiply(Tensor left, Tensor right) => is_grad_enabled() ? left.mm(right.t()) : OneDnn.Multiply(left, right);

    /// <param name="Output">What the forward pass has computed.</param>
    /// <param name="Inputs">The weight's columns.</param>
    /// <param name="Outputs">The weight's rows.</param>
    /// <param name="WantsInput">Whether the input wants a gradient.</param>
    /// <param name="WantsBias">Whether the bias does; null without one.</param>
    /// <param name="Faults">Those of the thread of the forward pass.</param>
    private sealed record Call(Tensor Output, long Inputs, long Outputs, bool WantsInput, bool? WantsBias, GradientFaults Faults);
}
