using System.Collections;

namespace StableTune.LibTorch;

/// <summary>
/// Reads and writes the elements of a CPU tensor in place. Indices run in the order of the dimensions, whatever the memory's layout.
/// Valid while the tensor is not disposed.
/// </summary>
public readonly unsafe struct TensorAccessor<T> : IEnumerable<T> where T : unmanaged
{
    private readonly torch.Tensor _tensor;

    internal TensorAccessor(torch.Tensor tensor) => _tensor = tensor;

    /// <summary>Number of elements.</summary>
    public long Count => _tensor.numel();

    /// <summary>The memory itself, for contiguous tensors.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not contiguous.</exception>
    public Span<T> Span => _tensor.is_contiguous()
        ? new Span<T>((void*)_tensor.data_ptr(), checked((int)Count))
        : throw new InvalidOperationException($"{_tensor} is not contiguous. Call contiguous() first.");

    /// <summary>The memory itself, for contiguous tensors.</summary>
    public static implicit operator Span<T>(TensorAccessor<T> accessor) => accessor.Span;

    /// <summary>The memory itself, for contiguous tensors.</summary>
    public static implicit operator ReadOnlySpan<T>(TensorAccessor<T> accessor) => accessor.Span;

    /// <summary>One element: by one index per dimension, or by one running index over all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside its dimension.</exception>
    public T this[params long[] indices]
    {
        get
        {
            var value = *Locate(indices);
            GC.KeepAlive(_tensor);
            return value;
        }
        set
        {
            *Locate(indices) = value;
            GC.KeepAlive(_tensor);
        }
    }

    private T* Locate(long[] indices)
    {
        var shape = _tensor.shape;
        if (indices.Length == 1 && shape.Length != 1) indices = Unravel(indices[0], shape);
        if (indices.Length != shape.Length) throw new ArgumentException($"{indices.Length} indices for {_tensor}", nameof(indices));
        var strides = _tensor.stride();
        long offset = 0;
        for (var k = 0; k < indices.Length; k++)
        {
            if ((ulong)indices[k] >= (ulong)shape[k]) throw new ArgumentOutOfRangeException(nameof(indices), indices[k], $"outside of {_tensor}");
            offset += indices[k] * strides[k];
        }
        return (T*)_tensor.data_ptr() + offset;
    }

    private static long[] Unravel(long index, long[] shape)
    {
        var indices = new long[shape.Length];
        for (var k = shape.Length - 1; k >= 0; k--) (index, indices[k]) = Math.DivRem(index, shape[k]);
        return index == 0 ? indices : throw new ArgumentOutOfRangeException(nameof(index), index, "the running index is past the end");
    }

    /// <summary>A copy of all elements, in the order of the indices.</summary>
    public T[] ToArray() => _tensor.CopyToArray<T>();

    /// <summary>Copies all elements, in the order of the indices.</summary>
    public void CopyTo(Span<T> destination)
    {
        if (_tensor.is_contiguous()) Span.CopyTo(destination);
        else ToArray().CopyTo(destination);
        GC.KeepAlive(_tensor);
    }

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)ToArray()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
