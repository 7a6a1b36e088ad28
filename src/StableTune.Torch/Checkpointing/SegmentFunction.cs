namespace StableTune.Torch;

/// <summary>A segment, and the output of its first run until autograd has taken that over.</summary>
/// <param name="Body">The function.</param>
/// <param name="DrawsRandomNumbers">Whether the CPU's random stream is set back for the second run.</param>
/// <param name="Faults">Where an exception of the second run is kept.</param>
/// <param name="InputCount">Number of inputs.</param>
/// <param name="Output">What the first run gave.</param>
internal sealed record Segment(Func<Tensor[], Tensor> Body, bool DrawsRandomNumbers, GradientFaults Faults, int InputCount, Tensor Output)
{
    /// <summary>The first input, where it waits in host memory; null where it stays.</summary>
    internal MovedInput? Moved { get; init; }

    /// <summary>Runs the segment with the random stream set back, and sets the stream to where it stood afterwards.</summary>
    /// <param name="inputs">What it is computed from.</param>
    /// <param name="random">State of the stream when the first run began; null when the segment draws nothing.</param>
    internal Tensor RunAgain(Tensor[] inputs, Tensor? random)
    {
        using var second = CheckpointPass.BeginSecond();
        if (random is null) return ActivationCheckpoint.Result(Body, inputs);
        using var now = get_rng_state();
        set_rng_state(random);
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

/// <summary>The node of a checkpoint in autograd's graph. Its variables: the segment, the random state, the anchor, the inputs.</summary>
internal sealed class SegmentFunction : autograd.SingleTensorFunction<SegmentFunction>
{
    private const string Key = "segment";

    /// <summary>Where the inputs begin among the variables: behind the segment, the random state (null for none) and the anchor.</summary>
    internal const int FirstInput = 3;

    public override string Name => "StableTune.ActivationCheckpoint";

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var segment = (Segment)vars[0];
        ctx.set_materialize_grads(false);
        // With the graph go what it saves, the state of the stream among it.
        Tensor[] inputs = [.. vars.Skip(FirstInput).Cast<Tensor>()];
        if (segment.Moved is { } moved) inputs[0] = moved.Host!;
        ctx.save_for_backward([(Tensor)vars[1], .. inputs]);
        ctx.save_data(Key, segment with { Output = null!, Moved = segment.Moved is { } kept ? kept with { Host = null } : null });
        return segment.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var segment = (Segment)ctx.get_data(Key);
        var faults = GradientFaults.OfPass(segment.Faults);
        var gradients = new Tensor?[FirstInput + segment.InputCount];
        List<Tensor> saved = [];
        try
        {
            // What went wrong before leaves nothing to be computed any more.
            if (!faults.HasPending && !grad_output.IsInvalid)
            {
                saved = ctx.get_saved_variables();   // refused where an input was changed in place since
                Differentiate(segment, saved, grad_output, gradients);
            }
        }
        catch (Exception e)
        {
            // No exception may pass through libtorch's frames.
            faults.Keep(e);
        }
        finally
        {
            foreach (var tensor in saved) tensor?.Dispose();
            if (!grad_output.IsInvalid) grad_output.Dispose();
        }

        return ReturnedGradients.HandOver(gradients);
    }

    private static void Differentiate(Segment segment, List<Tensor> saved, Tensor gradient, Tensor?[] gradients)
    {
        if (is_grad_enabled())
            throw new NotSupportedException(
                "a checkpoint has no second derivative: run the segment without ActivationCheckpoint where create_graph is asked for");
        using var scope = NewDisposeScope();
        using var enabled = enable_grad();
        Tensor[] inputs = [.. saved.Skip(1).Select((input, place) => place == 0 && segment.Moved is { } moved
            ? moved.Back(input) : input.detach().requires_grad_(input.requires_grad))];
        var output = segment.RunAgain(inputs, segment.DrawsRandomNumbers ? saved[0] : null);
        if (!output.requires_grad) return;
        autograd.backward([output], [gradient]);
        GradientFaults.ThrowPending();   // of checkpoints inside this one
        for (var k = 0; k < inputs.Length; k++)
            if (inputs[k].requires_grad) gradients[k + FirstInput] = inputs[k].grad?.DetachFromDisposeScope();
    }
}

/// <summary>An input that waits for the backward pass in host memory.</summary>
/// <param name="Host">The copy, until autograd has taken it over.</param>
/// <param name="Mover">How it is copied.</param>
/// <param name="Device">Where it belongs.</param>
/// <param name="WantsGradient">Whether it wants a gradient, which the copy does not say.</param>
internal sealed record MovedInput(Tensor? Host, ITensorMover Mover, Device Device, bool WantsGradient)
{
    internal static MovedInput Of(Tensor input, ITensorMover mover)
    {
        using var frozen = no_grad();
        return new MovedInput(mover.ToHost(input.detach()), mover, input.device, input.requires_grad);
    }

    /// <summary>The input on its device, in the open dispose scope.</summary>
    internal Tensor Back(Tensor host) => Mover.ToDevice(host, Device).detach().requires_grad_(WantsGradient);
}
