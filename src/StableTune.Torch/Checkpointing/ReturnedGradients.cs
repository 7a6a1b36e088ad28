namespace StableTune.Torch;

/// <summary>
/// Gradients that a node has handed to autograd. libtorch takes its own reference when the call has returned, so ours can be let go only
/// later: when the next node of this thread hands over its own, or when the backward pass is over.
/// </summary>
internal static class ReturnedGradients
{
    [ThreadStatic] private static List<Tensor>? s_handedOver;

    /// <summary>Computes the gradients of a node and hands them over; none where a node before has failed, or this one does.</summary>
    /// <param name="variables">How many variables the node has.</param>
    /// <param name="ofForwardPass">The faults of the thread that ran the forward pass.</param>
    /// <param name="gradient">The output's gradient, which is let go.</param>
    /// <param name="compute">Fills in the gradients, in a dispose scope.</param>
    internal static List<Tensor> Compute(int variables, GradientFaults ofForwardPass, Tensor gradient, Action<Tensor?[]> compute)
    {
        var faults = GradientFaults.OfPass(ofForwardPass);
        var gradients = new Tensor?[variables];
        using var scope = NewDisposeScope();
        try
        {
            if (!faults.HasPending && !gradient.IsInvalid)
            {
                compute(gradients);
                foreach (var one in gradients) one?.DetachFromDisposeScope();
            }
        }
        catch (Exception e)
        {
            // No exception may pass through libtorch's frames.
            faults.Keep(e);
            Array.Clear(gradients);
        }
        finally
        {
            if (!gradient.IsInvalid) gradient.Dispose();
        }

        return HandOver(gradients);
    }

    /// <summary>Lets go what was handed over before, and remembers these.</summary>
    /// <param name="gradients">One for each variable of the node; null for none. They stand outside all dispose scopes.</param>
    /// <returns>The same, as TorchSharp wants them.</returns>
    internal static List<Tensor> HandOver(Tensor?[] gradients)
    {
        Release();
        s_handedOver ??= [];
        s_handedOver.AddRange(gradients.OfType<Tensor>());
        return [.. gradients.Select(gradient => gradient!)];
    }

    /// <summary>Lets go what this thread has handed over.</summary>
    internal static void Release()
    {
        if (s_handedOver is not { Count: > 0 } held) return;
        foreach (var gradient in held) gradient.Dispose();
        held.Clear();
    }
}
