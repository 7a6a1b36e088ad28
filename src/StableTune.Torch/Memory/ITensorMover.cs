namespace StableTune.Torch;

/// <summary>Moves tensors between a device and host memory: the seam that offloading goes through, so that a host can count, or move in
/// a way of its own.</summary>
public interface ITensorMover
{
    /// <summary>A copy in host memory.</summary>
    /// <param name="tensor">A tensor on a device; stays the caller's.</param>
    /// <returns>A tensor of its own, in the open dispose scope.</returns>
    Tensor ToHost(Tensor tensor);

    /// <summary>A copy on a device.</summary>
    /// <param name="tensor">What <see cref="ToHost"/> gave; stays the caller's.</param>
    /// <param name="device">Where to.</param>
    /// <returns>A tensor of its own, in the open dispose scope.</returns>
    Tensor ToDevice(Tensor tensor, Device device);
}

/// <summary>Copies by libtorch. Of a CUDA device the copy in host memory is pinned, so that the way back does not wait for the
/// host.</summary>
public sealed class TensorMover : ITensorMover
{
    private TensorMover() { }

    /// <summary>The one that is used unless another is given.</summary>
    public static TensorMover Default { get; } = new();

    /// <inheritdoc/>
    public Tensor ToHost(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var scope = NewDisposeScope();
        var copy = tensor.to(CPU);
        return (tensor.device_type == DeviceType.CUDA ? copy.pin_memory() : copy).alias().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor ToDevice(Tensor tensor, Device device)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var scope = NewDisposeScope();
        return tensor.to(device, non_blocking: device?.type == DeviceType.CUDA).alias().MoveToOuterDisposeScope();
    }
}
