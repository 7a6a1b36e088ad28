namespace StableTune.Torch;

/// <summary>The node of a · gelu(b), where a and b are the halves of the last dimension: it keeps the input alone, and computes the two
/// gradients in the place where they are handed on.</summary>
internal sealed class GatedGelu : autograd.SingleTensorFunction<GatedGelu>
{
    private const string Key = "call";

    private static readonly Operator s_gelu = new("aten::gelu", "out"), s_multiply = new("aten::mul", "out"),
        s_geluBackward = new("aten::gelu_backward"), s_geluBackwardInto = new("aten::gelu_backward", "grad_input");

    public override string Name => "StableTune.GatedGelu";

    /// <summary>Computes the value, and records the node where the input wants a gradient.</summary>
    /// <param name="input">[..., 2D]</param>
    /// <returns>[..., D]</returns>
    internal static Tensor Apply(Tensor input)
    {
        GradientFaults.ThrowPending();
        using var scope = NewDisposeScope();
        Tensor output;
        using (no_grad()) output = Compute(input).detach();
        return (is_grad_enabled() && input.requires_grad ? apply(new Call(output, GradientFaults.OfThisThread), input) : output)
            .MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (call, input) = ((Call)vars[0], (Tensor)vars[1]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([input]);
        ctx.save_data(Key, call with { Output = null! });
        return call.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var call = (Call)ctx.get_data(Key);
        return ReturnedGradients.Compute(2, call.Faults, grad_output, gradients =>
        {
            var input = ctx.get_saved_variables()[0];
            // What is computed into a place that is there cannot be derived again.
            gradients[1] = is_grad_enabled() || !IsWide(input) ? Gradient(input, grad_output) : GradientInPlace(input, grad_output);
        });
    }

    private static Tensor Compute(Tensor input)
    {
        var (value, gate) = Halves(input);
        return nn.functional.gelu(Widened(gate)).As(input.dtype).mul_(value);
    }

    private static Tensor Gradient(Tensor input, Tensor gradient)
    {
        var (value, gate) = Halves(input);
        var wide = Widened(gate);
        var ofValue = gradient * nn.functional.gelu(wide).As(input.dtype);
        var ofGate = s_geluBackward.Call((gradient * value).As(wide.dtype), wide, "none").As(input.dtype);
        return cat([ofValue, ofGate], -1);
    }

    /// <summary>The same numbers, with no memory beyond the result's.</summary>
    private static Tensor GradientInPlace(Tensor input, Tensor gradient)
    {
        var (value, gate) = Halves(input);
        var result = empty_like(input);
        var (ofValue, ofGate) = Halves(result);
        s_gelu.Call(gate, "none", ofValue);
        ofValue.mul_(gradient);
        s_multiply.Call(gradient, value, ofGate);
        s_geluBackwardInto.Call(ofGate, gate, "none", ofGate);
        return result;
    }

    private static (Tensor Value, Tensor Gate) Halves(Tensor tensor)
    {
        var halves = tensor.chunk(2, -1);
        return (halves[0], halves[1]);
    }

    /// <summary>libtorch's GELU of half precision is many times slower than that of float32, above all backward.</summary>
    private static Tensor Widened(Tensor gate) => IsWide(gate) ? gate : gate.to(ScalarType.Float32);

    private static bool IsWide(Tensor tensor) => tensor.dtype is ScalarType.Float32 or ScalarType.Float64;

    /// <param name="Output">What the forward pass has computed.</param>
    /// <param name="Faults">Those of the thread of the forward pass.</param>
    private sealed record Call(Tensor Output, GradientFaults Faults);
}
