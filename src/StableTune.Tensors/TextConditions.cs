namespace StableTune.Tensors;

/// <summary>What a model is told of texts. Made in the caller's dispose scope.</summary>
/// <param name="Context">Hidden states for cross-attention, [B, L, C]; for SDXL both encoders' side by side. Where each attention layer
/// of the UNet has its own: [B, K, L, C].</param>
/// <param name="Pooled">The second encoder's pooled output (SDXL), [B, D]; null for models without.</param>
public sealed record TextConditions(Tensor Context, Tensor? Pooled = null) : IDisposable
{
    /// <summary>Hands both tensors to the scope around the current one.</summary>
    public TextConditions MoveToOuterDisposeScope()
    {
        Context.MoveToOuterDisposeScope();
        Pooled?.MoveToOuterDisposeScope();
        return this;
    }

    /// <summary>Takes both tensors out of all scopes: whoever holds them disposes of them.</summary>
    public TextConditions DetachFromDisposeScope()
    {
        Context.DetachFromDisposeScope();
        Pooled?.DetachFromDisposeScope();
        return this;
    }

    /// <summary>Fresh tensors on a device, in the current dispose scope.</summary>
    /// <param name="device">Where to.</param>
    public TextConditions On(Device device)
    {
        using var scope = NewDisposeScope();
        return new TextConditions(Context.to(device).alias(), Pooled?.to(device).alias()).MoveToOuterDisposeScope();
    }

    /// <summary>Disposes both tensors.</summary>
    public void Dispose()
    {
        Context.Dispose();
        Pooled?.Dispose();
    }
}
