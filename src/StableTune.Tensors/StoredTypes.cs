using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>Which tensor type holds which stored type.</summary>
public static class StoredTypes
{
    /// <summary>
    /// One row per stored type: the tensor type it is loaded as, and whether that is the same bits. The types without a
    /// counterpart in every libtorch are loaded as the next type that holds all their values.
    /// </summary>
    private static readonly Dictionary<TensorDType, (ScalarType Type, bool SameBits)> Rows = new()
    {
        [TensorDType.F64] = (ScalarType.Float64, true),
        [TensorDType.F32] = (ScalarType.Float32, true),
        [TensorDType.F16] = (ScalarType.Float16, true),
        [TensorDType.BF16] = (ScalarType.BFloat16, true),
        [TensorDType.I64] = (ScalarType.Int64, true),
        [TensorDType.I32] = (ScalarType.Int32, true),
        [TensorDType.I16] = (ScalarType.Int16, true),
        [TensorDType.I8] = (ScalarType.Int8, true),
        [TensorDType.U8] = (ScalarType.Byte, true),
        [TensorDType.Bool] = (ScalarType.Bool, true),
        [TensorDType.F8E4M3] = (ScalarType.Float16, false),
        [TensorDType.F8E5M2] = (ScalarType.Float16, false),
        [TensorDType.U16] = (ScalarType.Int32, false),
        [TensorDType.U32] = (ScalarType.Int64, false),
        // The upper half of its values has no counterpart: reading one is an error, see TensorReader.
        [TensorDType.U64] = (ScalarType.Int64, false),
    };

    private static readonly Dictionary<ScalarType, TensorDType> Stored =
        Rows.Where(row => row.Value.SameBits).ToDictionary(row => row.Value.Type, row => row.Key);

    /// <summary>The tensor type that a stored type is loaded as when no other is asked for.</summary>
    public static ScalarType ToScalarType(this TensorDType type) => Rows[type].Type;

    /// <summary>The type under which tensors of this type are stored.</summary>
    /// <exception cref="NotSupportedException">No file type holds it, as with complex and quantised types.</exception>
    public static TensorDType ToTensorDType(this ScalarType type) => Stored.TryGetValue(type, out var stored) ? stored
        : throw new NotSupportedException($"Tensors of type {type} cannot be stored: convert to {string.Join(", ", Stored.Keys)} first.");

    /// <summary>Whether the stored bytes are the bytes of a tensor of this type.</summary>
    internal static bool HasBitsOf(this TensorDType stored, ScalarType type) => Rows[stored] is { SameBits: true } row && row.Type == type;

    /// <summary>Whether it is a floating-point type: these are converted when a precision is asked for, others are left alone.</summary>
    internal static bool IsFloat(this ScalarType type) =>
        type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;

    /// <summary>Whether it is a floating-point type.</summary>
    internal static bool IsFloat(this TensorDType type) => type.ToScalarType().IsFloat();

    /// <summary>The size of an element in bytes.</summary>
    internal static int Size(this ScalarType type) => type.ToTensorDType().Size();
}
