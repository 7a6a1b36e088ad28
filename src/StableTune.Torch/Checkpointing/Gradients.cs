namespace StableTune.Torch;

/// <summary>Backward passes through graphs that hold checkpoints and frozen layers.</summary>
public static class Gradients
{
    /// <summary>
    /// Computes gradients as <c>loss.backward()</c> does, and throws what happened inside a checkpoint. With a plain <c>backward()</c> such
    /// an exception would come only at the next checkpoint or frozen layer of the thread that ran the forward pass.
    /// </summary>
    /// <param name="loss">A scalar tensor, [].</param>
    /// <exception cref="TorchException">libtorch cannot differentiate, such as where nothing wants a gradient.</exception>
    /// <exception cref="Exception">What a segment of an <see cref="ActivationCheckpoint"/> threw in its second pass; gradients are
    /// incomplete then.</exception>
    public static void Backward(Tensor loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        GradientFaults.ThrowPending();
        GradientFaults.BeginPass();
        try
        {
            loss.backward();
        }
        catch (System.Runtime.InteropServices.ExternalException e)
        {
            GradientFaults.ThrowPending();
            throw new TorchException("backward", e, loss);
        }
        finally
        {
            GradientFaults.EndPass();
            ReturnedGradients.Release();
        }

        GradientFaults.ThrowPending();
    }
}
