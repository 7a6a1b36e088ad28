using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>An array in memory, as NumPy's files hold it.</summary>
public sealed class NpyArray
{
    /// <summary>Wraps bytes as an array; nothing is copied.</summary>
    /// <param name="name">Its name in an archive, without <c>.npy</c>.</param>
    /// <param name="dtype">The element type.</param>
    /// <param name="shape">The sizes, outermost first; empty for a single number.</param>
    /// <param name="bytes">The elements row by row, little-endian.</param>
    /// <exception cref="ArgumentException">The bytes are not as many as type and shape take.</exception>
    public NpyArray(string name, TensorDType dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        if (TensorInfo.SizeOf(dtype, shape) != bytes.Length)
            throw new ArgumentException(
                $"Array '{name}' is {dtype.Name()} [{string.Join(", ", shape)}], which does not take {bytes.Length} bytes.", nameof(bytes));
        (Name, DType, Shape, Bytes) = (name, dtype, [.. shape], bytes);
    }

    /// <summary>The array's name in an archive, without <c>.npy</c>; of an array in a file of its own, the file's name.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public TensorDType DType { get; }

    /// <summary>The sizes, outermost first; empty for a single number.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The elements row by row (the last index runs fastest), little-endian.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Copies elements into a new array.</summary>
    /// <typeparam name="T">The element type: float, double, Half, bool, or an integer of 8 to 64 bits.</typeparam>
    /// <param name="name">Its name in an archive.</param>
    /// <param name="values">The elements row by row.</param>
    /// <param name="shape">The sizes; none for a single number.</param>
    /// <exception cref="ArgumentException">The values are not as many as the shape says, or of another type.</exception>
    public static NpyArray Of<T>(string name, ReadOnlySpan<T> values, params IReadOnlyList<long> shape) where T : unmanaged =>
        new(name, TypeOf<T>(), shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>The elements, without copying.</summary>
    /// <typeparam name="T">The type that <see cref="DType"/> says.</typeparam>
    /// <exception cref="InvalidOperationException">The elements are of another type.</exception>
    public ReadOnlySpan<T> As<T>() where T : unmanaged => TypeOf<T>() == DType ? MemoryMarshal.Cast<byte, T>(Bytes.Span)
        : throw new InvalidOperationException($"Array '{Name}' holds {DType.Name()}, not {TypeOf<T>().Name()}.");

    /// <summary>What writers take.</summary>
    public TensorPayload ToPayload() => new(Name, DType, Shape, stream => stream.Write(Bytes.Span));

    /// <summary>For messages: <c>latents: F32 [4, 64, 64]</c>.</summary>
    public override string ToString() => $"{Name}: {DType.Name()} [{string.Join(", ", Shape)}]";

    private static TensorDType TypeOf<T>() => default(T) switch
    {
        float => TensorDType.F32, double => TensorDType.F64, Half => TensorDType.F16, bool => TensorDType.Bool,
        sbyte => TensorDType.I8, short => TensorDType.I16, int => TensorDType.I32, long => TensorDType.I64,
        byte => TensorDType.U8, ushort => TensorDType.U16, uint => TensorDType.U32, ulong => TensorDType.U64,
        _ => throw new ArgumentException($"There are no arrays of {typeof(T).Name}: use a float, an integer or bool.", nameof(T)),
    };
}
