namespace StableTune.Torch;

/// <summary>
/// Takes the gradients of some parameters as soon as each is complete, while the backward pass goes on: the parameter can then be stepped
/// and its gradient freed, so that never more than a few gradients take memory.
/// </summary>
/// <remarks>
/// TorchSharp has no hook on the accumulation of a gradient. The layers of this library (<see cref="Linear"/>, <see cref="Conv2d"/>,
/// <see cref="Embedding"/>, norms) therefore read a tapped parameter through a node of its own, which counts how often the parameter is
/// used and adds up what comes back. Parameters that are used in other ways get their gradient as always, at the end. As
/// <c>register_post_accumulate_grad_hook</c> of PyTorch; but a parameter that several checkpoints use is complete only after the last.
/// </remarks>
public sealed class GradientTap : IDisposable
{
    private readonly Action<Tensor> _complete;
    private readonly List<TappedParameter> _parameters = [];

    /// <summary>Begins to tap parameters.</summary>
    /// <param name="parameters">Leaves that want gradients. None may be tapped by another.</param>
    /// <param name="complete">
    /// Called with a parameter when its <c>grad</c> is complete, on the thread of the backward pass, without gradients being recorded. May
    /// change the parameter and drop its gradient. What it throws is thrown by <see cref="Gradients.Backward"/>.
    /// </param>
    /// <exception cref="ArgumentException">A parameter is tapped already.</exception>
    public GradientTap(IEnumerable<Tensor> parameters, Action<Tensor> complete)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(complete);
        _complete = complete;
        try
        {
            foreach (var parameter in parameters) _parameters.Add(TappedParameter.Add(parameter, this));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// To be called when the backward pass is over: completes gradients of parameters of which not every use took part in it.
    /// </summary>
    public void Finish()
    {
        foreach (var parameter in _parameters) parameter.Finish();
    }

    /// <summary>Ends tapping; gradients that are not complete are dropped.</summary>
    public void Dispose()
    {
        foreach (var parameter in _parameters) parameter.Remove();
        _parameters.Clear();
    }

    internal void Complete(Tensor parameter) => _complete(parameter);
}
