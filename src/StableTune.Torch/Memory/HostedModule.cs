namespace StableTune.Torch;

/// <summary>
/// A module whose frozen weights lie in host memory and are copied to a device while they are needed. The copies in host memory stay, so
/// that nothing is copied back.
/// </summary>
public sealed class HostedModule : IDisposable
{
    private readonly ITensorMover _mover;
    private readonly Device _device;
    private readonly List<(Tensor Weight, Tensor Host)> _weights = [];
    private bool _isDisposed;

    /// <summary>Moves the weights to host memory.</summary>
    /// <param name="module">The module; stays the caller's. Its parameters and buffers keep their identity.</param>
    /// <param name="device">Where it is used.</param>
    /// <param name="mover">How tensors are copied.</param>
    /// <exception cref="InvalidOperationException">A weight wants a gradient, which would get lost with each move.</exception>
    public HostedModule(nn.Module module, Device device, ITensorMover mover)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(mover);
        if (module.named_parameters().FirstOrDefault(entry => entry.parameter.requires_grad) is { parameter: not null } trained)
            throw new InvalidOperationException(
                $"'{trained.name}' of {module.GetName()} is trained: only frozen weights can wait in host memory.");
        (_device, _mover) = (device, mover);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var weight in ModuleMemory.Held(module)) _weights.Add((weight, mover.ToHost(weight).DetachFromDisposeScope()));
        Release();
    }

    /// <summary>Whether the weights are on the device now.</summary>
    public bool IsOnDevice { get; private set; }

    /// <summary>Copies the weights to the device. Does nothing where they are there.</summary>
    public void Bring()
    {
        if (IsOnDevice) return;
        using var frozen = no_grad();
        foreach (var (weight, host) in _weights)
        {
            using var scope = NewDisposeScope();
            weight.SetData(_mover.ToDevice(host, _device));
        }

        IsOnDevice = true;
    }

    /// <summary>Frees the weights on the device; those in host memory take their place.</summary>
    public void Release()
    {
        using var frozen = no_grad();
        foreach (var (weight, host) in _weights) weight.SetData(host);
        IsOnDevice = false;
    }

    /// <summary>Brings the weights to the device for good.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        Bring();
        foreach (var (_, host) in _weights) host.Dispose();
    }
}
