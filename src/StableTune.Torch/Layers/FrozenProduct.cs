namespace StableTune.Torch;

/// <summary>The node of a product whose weight and bias are frozen: it keeps the weight for the backward pass, not the input.</summary>
internal sealed class FrozenProduct : autograd.SingleTensorFunction<FrozenProduct>
{
    private const string Key = "call";

    public override string Name => "StableTune.FrozenProduct";

    /// <summary>Whether the input wants a gradient and nothing else does.</summary>
    internal static bool Serves(Tensor input, Tensor weight, Tensor? bias) =>
        !weight.requires_grad && Serves(input, bias);

    /// <summary>The same with a weight that is frozen in any case.</summary>
    internal static bool Serves(Tensor input, Tensor? bias) =>
        input.requires_grad && bias is not { requires_grad: true } && is_grad_enabled();

    /// <summary>Computes the product and records the node.</summary>
    internal static Tensor Apply(Product product, Tensor input, KeptWeight weight, Tensor? bias)
    {
        GradientFaults.ThrowPending();
        // TorchSharp's node holds an empty tensor of the output's size for as long as the scope lets it.
        using var scope = NewDisposeScope();
        Tensor output;
        // Detached, so that it is no view: autograd refuses to change a view that a function like this one made.
        using (no_grad()) output = product.Compute(input, weight.For(HalfPrecision.ComputeType(input)), bias).detach();
        var call = new Call(product, weight, InputForm.Of(input), output, GradientFaults.OfThisThread);
        return apply(call, input).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var call = (Call)vars[0];
        ctx.set_materialize_grads(false);
        if (call.Weight.Numbers is { } numbers) ctx.save_for_backward([numbers]);
        ctx.save_data(Key, call with { Weight = call.Weight with { Numbers = null }, Output = null! });
        return call.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var call = (Call)ctx.get_data(Key);
        return ReturnedGradients.Compute(2, call.Faults, grad_output, gradients =>
        {
            // Numbers are refused where they were changed in place since.
            var kept = call.Weight.Codes is null ? new KeptWeight(ctx.get_saved_variables()[0]) : call.Weight;
            var weight = kept.For(HalfPrecision.ComputeType(grad_output));
            gradients[1] = call.Product.ComputeInputGradient(grad_output, weight, call.Input);
        });
    }

    private sealed record Call(Product Product, KeptWeight Weight, InputForm Input, Tensor Output, GradientFaults Faults);
}

/// <summary>A frozen weight as a node keeps it: its numbers, or the codes that they are made of.</summary>
internal sealed record KeptWeight(Tensor? Numbers, QuantizedWeight? Codes)
{
    internal KeptWeight(Tensor numbers) : this(numbers, null) { }

    internal KeptWeight(QuantizedWeight codes) : this(null, codes) { }

    /// <summary>The numbers to compute with: the weight itself, which a product casts, or made of the codes, in the open dispose
    /// scope.</summary>
    internal Tensor For(ScalarType type) => Numbers ?? Codes!.Dequantize(type);
}
