namespace StableTune.Torch;

/// <summary>A segment, what it began with, and the output of its first run, until autograd has taken that over.</summary>
/// <param name="Body">The function.</param>
/// <param name="RandomState">State of the CPU's random stream when the segment began; null when it draws nothing. Owned by this record.</param>
/// <param name="Faults">Where an exception of the second pass is kept.</param>
/// <param name="Output">What the first run gave.</param>
internal sealed record Segment(Func<Tensor[], Tensor> Body, Tensor? RandomState, GradientFaults Faults, Tensor Output)
{
    /// <summary>Runs the segment with the random stream set back, and sets the stream to where it stood afterwards.</summary>
    internal Tensor RunAgain(Tensor[] inputs)
    {
        if (RandomState is null) return ActivationCheckpoint.Result(Body, inputs);
        using var now = get_rng_state();
        set_rng_state(RandomState);
        try
        {
            return ActivationCheckpoint.Result(Body, inputs);
        }
        finally
        {
            set_rng_state(now);
        }
    }
}

/// <summary>The node of a checkpoint in autograd's graph. Its variables: the segment, the anchor, the inputs.</summary>
internal sealed class SegmentFunction : autograd.SingleTensorFunction<SegmentFunction>
{
    private const string Key = "segment";

    public override string Name => "StableTune.ActivationCheckpoint";

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var segment = (Segment)vars[0];
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([.. vars.Skip(2).Cast<Tensor>()]);
        ctx.save_data(Key, segment with { Output = null! });
        return segment.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var segment = (Segment)ctx.get_data(Key);
        var inputs = ctx.get_saved_variables();
        Tensor?[] gradients = new Tensor?[inputs.Count + 2];
        try
        {
            // What went wrong before leaves nothing to be computed any more.
            if (!segment.Faults.HasPending && !grad_output.IsInvalid) Differentiate(segment, inputs, grad_output, gradients);
        }
        catch (Exception e)
        {
            // No exception may pass through libtorch's frames.
            segment.Faults.Keep(e);
        }
        finally
        {
            foreach (var input in inputs) input.Dispose();
            if (!grad_output.IsInvalid) grad_output.Dispose();
        }

        return ReturnedGradients.HandOver(gradients);
    }

    private static void Differentiate(Segment segment, List<Tensor> saved, Tensor gradient, Tensor?[] gradients)
    {
        if (is_grad_enabled())
            throw new NotSupportedException("a checkpoint has no second derivative: run the segment without ActivationCheckpoint where create_graph is asked for");
        using var scope = NewDisposeScope();
        using var enabled = enable_grad();
        Tensor[] inputs = [.. saved.Select(input => input.detach().requires_grad_(input.requires_grad))];
        var output = segment.RunAgain(inputs);
        if (!output.requires_grad) return;
        autograd.backward([output], [gradient]);
        for (var k = 0; k < inputs.Length; k++)
            if (inputs[k].requires_grad) gradients[k + 2] = inputs[k].grad?.DetachFromDisposeScope();
    }
}
