namespace StableTune.Torch;

/// <summary>What the layers of this library have in common: one tensor in, one out, and parameters that can be exchanged.</summary>
public abstract class Layer : nn.Module<Tensor, Tensor>
{
    private WrapStack? _wraps;

    private protected Layer(string name) : base(name) { }

    /// <summary>
    /// Puts a function around what the layer computes, as adapters do. Functions lie around each other, the last one outermost; without
    /// any, the layer computes as if this method did not exist.
    /// </summary>
    /// <param name="wrapper">
    /// Given the input and the original computation, it returns a fresh tensor in place of the output, in the output's type, and calls the
    /// original as often as it needs to, or not at all. Where no gradient is recorded it may change in place what the original returned.
    /// </param>
    /// <returns>Disposing takes the function off; several come off in any order.</returns>
    public IDisposable Wrap(Func<Tensor, Func<Tensor, Tensor>, Tensor> wrapper)
    {
        if (_wraps is null) Interlocked.CompareExchange(ref _wraps, new WrapStack(), null);
        return _wraps.Add(wrapper);
    }

    /// <summary>Whether functions lie around the layer.</summary>
    private protected bool IsWrapped => _wraps is { IsEmpty: false };

    /// <summary>Computes through the functions around the layer, see <see cref="Wrap"/>.</summary>
    private protected Tensor Wrapped(Tensor input, Func<Tensor, Tensor> compute) => _wraps!.Run(input, compute);

    /// <summary>Nothing to look for: layers register their parameters themselves, without the reflection that a whole network
    /// feels.</summary>
    protected override void RegisterComponents() { }

    /// <summary>Registers a parameter in the place of another, which is disposed.</summary>
    private protected Parameter? Replace(string name, Parameter? old, Parameter? next)
    {
        if (ReferenceEquals(old, next)) return next;
        next?.DetachFromDisposeScope();
        ConditionallyRegisterParameter(name, next);
        old?.Dispose();
        return next;
    }
}
