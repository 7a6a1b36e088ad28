using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>
/// Tensors of modules and of files as what writers take (<see cref="TensorPayload"/>): converted and passed on a megabyte or so at a time,
/// so that memory stays flat however large a model is.
/// </summary>
public static class StatePayloads
{
    /// <summary>Converted and written at a time, in elements.</summary>
    private const int ChunkElements = 1 << 20;

    /// <summary>Tensors in memory.</summary>
    /// <param name="tensors">Names and tensors, on any device, of any layout; they must live until everything is written.</param>
    /// <param name="dtype">The type that floating-point tensors are written in; null for each one's own. Other types are
    /// written as they are.</param>
    /// <exception cref="NotSupportedException">A tensor's type cannot be stored (when the result is enumerated).</exception>
    public static IEnumerable<TensorPayload> Of(IEnumerable<(string Name, Tensor Tensor)> tensors, ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return tensors.Select(entry =>
        {
            var (name, tensor) = entry;
            var type = dtype is { } wanted && tensor.dtype.IsFloat() ? wanted : tensor.dtype;
            return new TensorPayload(name, type.ToTensorDType(), tensor.shape, stream => Write(stream, tensor, type));
        });
    }

    /// <summary>Tensors whose numbers stay as they are until <see cref="PayloadCopies.CopyRest"/>, as what is trained does from one update
    /// to the next. The tensors themselves may be disposed of before.</summary>
    /// <param name="copies">Takes them.</param>
    /// <param name="tensors">Names and tensors, on any device, of any layout.</param>
    /// <param name="dtype">As for <see cref="Of(IEnumerable{ValueTuple{string, Tensor}}, ScalarType?)"/>.</param>
    /// <returns>As for <see cref="PayloadCopies.TakeLasting"/>: null where they are copied now and would take too much memory.</returns>
    /// <exception cref="NotSupportedException">A tensor's type cannot be stored.</exception>
    public static IReadOnlyList<TensorPayload>? TakeLasting(
        this PayloadCopies copies, IEnumerable<(string Name, Tensor Tensor)> tensors, ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(copies);
        ArgumentNullException.ThrowIfNull(tensors);
        if (!copies.CopiesLate) return copies.Take(Of(tensors, dtype));
        var held = new HeldTensors();
        copies.Keep(held);
        return copies.TakeLasting(Of(tensors.Select(entry => (entry.Name, held.Hold(entry.Tensor))), dtype));
    }

    /// <summary>Tensors of a file, read as they are written.</summary>
    /// <param name="file">The file; it must stay open until everything is written.</param>
    /// <param name="dtype">As for <see cref="Of(IEnumerable{ValueTuple{string, Tensor}}, ScalarType?)"/>; null copies the bytes.</param>
    public static IEnumerable<TensorPayload> Of(ITensorFile file, ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.Tensors.Select(info => Of(file, info, dtype));
    }

    /// <summary>One tensor of a file.</summary>
    /// <param name="file">The file; it must stay open until everything is written.</param>
    /// <param name="info">One of its tensors.</param>
    /// <param name="dtype">The type to write when it is a floating-point tensor; null copies the bytes.</param>
    /// <param name="name">Another name; null for its own.</param>
    public static TensorPayload Of(ITensorFile file, TensorInfo info, ScalarType? dtype = null, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(info);
        return dtype is { } wanted && info.DType.IsFloat() && !info.DType.HasBitsOf(wanted)
            ? new TensorPayload(name ?? info.Name, wanted.ToTensorDType(), info.Shape, stream => WriteConverted(stream, file, info, wanted))
            : new TensorPayload(name ?? info.Name, info.DType, info.Shape, stream => WriteBytes(stream, file, info));
    }

    private static void Write(Stream stream, Tensor tensor, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        if (tensor.numel() == 0) return;
        if (tensor.dtype == type && tensor.device_type == DeviceType.CPU && tensor.is_contiguous()
            && tensor.numel() * type.Size() <= int.MaxValue)
        {
            // As most are: nothing is to be asked of the engine.
            for (ReadOnlySpan<byte> left = tensor.detach().bytes; left.Length > 0;)
            {
                var count = Math.Min(left.Length, ChunkElements);
                stream.Write(left[..count]);
                left = left[count..];
            }

            return;
        }

        // A tensor that is not contiguous is copied as a whole here; a contiguous one is only looked at.
        var flat = tensor.detach().flatten();
        for (long begin = 0, count; begin < flat.numel(); begin += count)
        {
            using var step = NewDisposeScope();
            count = Math.Min(ChunkElements, flat.numel() - begin);
            stream.Write(flat.narrow(0, begin, count).to(type).cpu().contiguous().bytes);
        }
    }

    private static void WriteBytes(Stream stream, ITensorFile file, TensorInfo info)
    {
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(info.ByteCount, ChunkElements));
        for (long begin = 0, count; begin < info.ByteCount; begin += count)
        {
            count = Math.Min(buffer.Length, info.ByteCount - begin);
            file.Read(info, buffer.AsSpan(0, (int)count), begin);
            stream.Write(buffer, 0, (int)count);
        }
    }

    private static void WriteConverted(Stream stream, ITensorFile file, TensorInfo info, ScalarType type)
    {
        var (stored, size) = (info.DType.Size(), type.Size());
        var step = (int)Math.Min(info.ElementCount, ChunkElements / 4);
        var (bytes, floats, converted) = (new byte[step * stored], new float[step], new byte[step * size]);
        for (long begin = 0; begin < info.ElementCount; begin += step)
        {
            var count = (int)Math.Min(step, info.ElementCount - begin);
            var from = bytes.AsSpan(0, count * stored);
            var to = converted.AsSpan(0, count * size);
            file.Read(info, from, begin * stored);
            FloatConversion.Convert(from, info.DType, to, type, floats);
            stream.Write(to);
        }
    }

    /// <summary>The memory of tensors, whatever becomes of the tensors.</summary>
    private sealed class HeldTensors : IDisposable
    {
        private readonly List<Tensor> _views = [];

        public Tensor Hold(Tensor tensor)
        {
            var view = tensor.detach().DetachFromDisposeScope();
            _views.Add(view);
            return view;
        }

        public void Dispose()
        {
            foreach (var view in _views) view.Dispose();
            _views.Clear();
        }
    }
}
