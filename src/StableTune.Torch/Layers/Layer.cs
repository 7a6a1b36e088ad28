namespace StableTune.Torch;

/// <summary>What the layers of this library have in common: one tensor in, one out, and parameters that can be exchanged.</summary>
public abstract class Layer : nn.Module<Tensor, Tensor>
{
    private protected Layer(string name) : base(name) { }

    /// <summary>Nothing to look for: layers register their parameters themselves, without the reflection that a whole network feels.</summary>
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
