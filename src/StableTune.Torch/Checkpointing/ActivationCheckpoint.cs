namespace StableTune.Torch;

/// <summary>
/// Runs a segment of a network without keeping its activations; the backward pass runs it again. Trades time for memory.
/// </summary>
/// <remarks>
/// Chen et al., Training deep nets with sublinear memory cost, arXiv:1604.06174; as <c>torch.utils.checkpoint</c>. Gradients of
/// parameters inside the segment accumulate in their <c>grad</c>, also when no input wants a gradient; <c>autograd.grad</c> with respect to
/// such a parameter does not see through a checkpoint, and there is no second derivative. Checkpoints may be nested, and used on several
/// threads.
/// </remarks>
public static class ActivationCheckpoint
{
    /// <summary>Runs a segment that may draw from the default random stream of the CPU, which is set back for the second pass: dropout
    /// falls the same way.</summary>
    /// <param name="segment">
    /// A function of its inputs alone (and of parameters): it runs a second time later, maybe on another thread, so it must not depend on
    /// what changes in between. A <see cref="torch.Generator"/> of the caller's own is not set back, nor is the default stream of a GPU,
    /// which TorchSharp does not give access to.
    /// </param>
    /// <param name="inputs">What the segment is computed from; those that want gradients get them.</param>
    /// <returns>What the segment returns, as a tensor of its own.</returns>
    /// <exception cref="ArgumentException">An input is null.</exception>
    /// <exception cref="Exception">
    /// Whatever the segment throws. In the backward pass it is thrown by <see cref="Gradients.Backward"/>, when libtorch's frames have
    /// been left.
    /// </exception>
    public static Tensor Run(Func<Tensor[], Tensor> segment, params Tensor[] inputs) =>
        Run(segment, inputs, drawsRandomNumbers: true, mover: null);

    /// <summary>Runs a segment that draws no random numbers, which saves copying the state of the random stream.</summary>
    /// <param name="segment">As for <see cref="Run(Func{Tensor[], Tensor}, Tensor[])"/>.</param>
    /// <param name="inputs">What the segment is computed from; those that want gradients get them.</param>
    /// <returns>What the segment returns, as a tensor of its own.</returns>
    public static Tensor RunDeterministic(Func<Tensor[], Tensor> segment, params Tensor[] inputs) =>
        Run(segment, inputs, drawsRandomNumbers: false, mover: null);

    /// <summary>
    /// As <see cref="Run(Func{Tensor[], Tensor}, Tensor[])"/>; the first input waits for the backward pass in host memory, the others
    /// stay where they are.
    /// </summary>
    /// <param name="segment">As for <see cref="Run(Func{Tensor[], Tensor}, Tensor[])"/>.</param>
    /// <param name="mover">How the input is copied.</param>
    /// <param name="inputs">What the segment is computed from, at least one; those that want gradients get them.</param>
    /// <returns>What the segment returns, as a tensor of its own.</returns>
    /// <exception cref="ArgumentException">There is no input, or one is null.</exception>
    public static Tensor RunOffloaded(Func<Tensor[], Tensor> segment, ITensorMover mover, params Tensor[] inputs)
    {
        ArgumentNullException.ThrowIfNull(mover);
        ArgumentNullException.ThrowIfNull(inputs);
        if (inputs.Length == 0) throw new ArgumentException("A checkpoint that is offloaded needs an input.", nameof(inputs));
        return Run(segment, inputs, drawsRandomNumbers: true, mover);
    }

    private static Tensor Run(Func<Tensor[], Tensor> segment, Tensor[] inputs, bool drawsRandomNumbers, ITensorMover? mover)
    {
        ArgumentNullException.ThrowIfNull(segment);
        ArgumentNullException.ThrowIfNull(inputs);
        if (Array.Exists(inputs, input => input is null))
            throw new ArgumentException("An input of a checkpoint is null: let the segment hold what is optional.", nameof(inputs));
        GradientFaults.ThrowPending();
        using var scope = NewDisposeScope();
        var random = drawsRandomNumbers && is_grad_enabled() ? get_rng_state() : null;
        Tensor output;
        // Detached, so that it is a tensor of its own where the segment hands back an input or a tensor that it did not make.
        if (!is_grad_enabled()) return Result(segment, inputs).detach().MoveToOuterDisposeScope();
        using (CheckpointPass.BeginFirst())
        using (no_grad()) output = Result(segment, inputs).detach();

        // An empty tensor that wants a gradient, so that parameters inside the segment are reached even when no input wants one.
        var anchor = empty(0, requires_grad: true);
        var run = new Segment(segment, drawsRandomNumbers, GradientFaults.OfThisThread, inputs.Length, output)
        {
            Moved = mover is null ? null : MovedInput.Of(inputs[0], mover),
        };
        return SegmentFunction.apply([run, random!, anchor, .. inputs]).MoveToOuterDisposeScope();
    }

    /// <summary>What the segment returns, which is a tensor.</summary>
    internal static Tensor Result(Func<Tensor[], Tensor> segment, Tensor[] inputs)
        => segment(inputs) ?? throw new InvalidOperationException("the segment of a checkpoint returned null");
}
