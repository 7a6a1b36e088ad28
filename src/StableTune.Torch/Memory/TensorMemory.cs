namespace StableTune.Torch;

/// <summary>Where a tensor's elements lie.</summary>
public static class TensorMemory
{
    /// <summary>The address of a tensor's first element; on a GPU an address of its memory. 0 for tensors without memory, as on
    /// <c>META</c>.</summary>
    /// <param name="tensor">The tensor, which must be kept alive while the address is used.</param>
    public static nint DataPointer(this Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.device_type == DeviceType.META) return 0;
        return LibTorch.aoti_torch_get_data_ptr(tensor.Handle, out var data) == 0
            ? data
            : throw new TorchException("data_ptr", "the tensor has no memory of its own; libtorch's words are on standard error", tensor);
    }

    /// <summary>A tensor's elements in place, to read and to write.</summary>
    /// <typeparam name="T">The .NET type of the tensor's elements.</typeparam>
    /// <param name="tensor">A contiguous tensor on the CPU, which must be kept alive while the span is used.</param>
    /// <exception cref="ArgumentException">The tensor is not contiguous, not on the CPU, of another type, or too large for a
    /// span.</exception>
    public static unsafe Span<T> Elements<T>(this Tensor tensor) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.device_type != DeviceType.CPU || !tensor.is_contiguous() || tensor.dtype.ElementSize() != sizeof(T)
            || tensor.numel() > int.MaxValue)
            throw new ArgumentException(
                $"the elements of {TorchException.Describe(tensor)} on {tensor.device} are no contiguous {typeof(T).Name}s on the CPU",
                nameof(tensor));
        return new Span<T>((void*)tensor.DataPointer(), (int)tensor.numel());
    }
}
