namespace StableTune.Models;

/// <summary>
/// Blocks of a model whose weights lie in host memory: each is copied to the device when it is run, and frees it when the next one is. With
/// gradient checkpointing a block runs again right before its gradients are computed, so that the backward pass finds its weights too.
/// </summary>
internal sealed class BlockSwap : IDisposable
{
    private readonly ForwardSettings _settings;
    private readonly Dictionary<nn.Module, HostedModule> _blocks = new(ReferenceEqualityComparer.Instance);
    private HostedModule? _onDevice;

    /// <summary>Moves the weights of blocks to host memory.</summary>
    /// <param name="settings">The model's settings, which use this until it is disposed.</param>
    /// <param name="blocks">The blocks.</param>
    /// <param name="device">Where they are run.</param>
    /// <param name="mover">How weights are copied.</param>
    /// <exception cref="InvalidOperationException">A weight is trained.</exception>
    internal BlockSwap(ForwardSettings settings, IEnumerable<nn.Module> blocks, Device device, ITensorMover mover)
    {
        _settings = settings;
        try
        {
            foreach (var block in blocks) _blocks.Add(block, new HostedModule(block, device, mover));
        }
        catch
        {
            foreach (var hosted in _blocks.Values) hosted.Dispose();
            throw;
        }

        settings.Swap = this;
    }

    /// <summary>Runs a block with its weights on the device; one that does not wait in host memory as it is.</summary>
    /// <exception cref="InvalidOperationException">Gradients are recorded without checkpointing, so that the weights would have to
    /// stay.</exception>
    internal Tensor Run(nn.Module block, Func<Tensor[], Tensor> body, Tensor[] inputs)
    {
        if (!_blocks.TryGetValue(block, out var hosted)) return body(inputs);
        if (is_grad_enabled() && !_settings.GradientCheckpointing)
            throw new InvalidOperationException(
                "Blocks that wait in host memory are trained through with gradient checkpointing alone: set GradientCheckpointing.");
        if (_onDevice != hosted)
        {
            _onDevice?.Release();
            _onDevice = hosted;
            hosted.Bring();
        }

        return body(inputs);
    }

    /// <summary>Brings all weights back to the device.</summary>
    public void Dispose()
    {
        if (_settings.Swap == this) _settings.Swap = null;
        foreach (var hosted in _blocks.Values) hosted.Dispose();
    }
}
