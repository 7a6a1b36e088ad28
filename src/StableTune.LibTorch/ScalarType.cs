namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>The type of a tensor's elements. The numbers are libtorch's own.</summary>
    public enum ScalarType : sbyte
    {
        /// <summary>Unsigned, 8 bits.</summary>
        Byte = 0,

        /// <summary>Signed, 8 bits.</summary>
        Int8 = 1,

        /// <summary>Signed, 16 bits.</summary>
        Int16 = 2,

        /// <summary>Signed, 32 bits.</summary>
        Int32 = 3,

        /// <summary>Signed, 64 bits.</summary>
        Int64 = 4,

        /// <summary>IEEE half precision: 5 bits exponent, 10 bits fraction.</summary>
        Float16 = 5,

        /// <summary>IEEE single precision.</summary>
        Float32 = 6,

        /// <summary>IEEE double precision.</summary>
        Float64 = 7,

        /// <summary>Two half-precision numbers.</summary>
        ComplexFloat16 = 8,

        /// <summary>Two single-precision numbers.</summary>
        ComplexFloat32 = 9,

        /// <summary>Two double-precision numbers.</summary>
        ComplexFloat64 = 10,

        /// <summary>A truth value in one byte.</summary>
        Bool = 11,

        /// <summary>The upper half of single precision: 8 bits exponent, 7 bits fraction.</summary>
        BFloat16 = 15,

        /// <summary>8 bits: 5 exponent, 2 fraction (libtorch 2.1 or newer).</summary>
        Float8E5M2 = 23,

        /// <summary>8 bits: 4 exponent, 3 fraction, no infinities (libtorch 2.1 or newer).</summary>
        Float8E4M3 = 24,
    }

    /// <summary>Unsigned 8-bit integers.</summary>
    public const ScalarType uint8 = ScalarType.Byte;

    /// <summary>Signed 8-bit integers.</summary>
    public const ScalarType int8 = ScalarType.Int8;

    /// <summary>Signed 16-bit integers.</summary>
    public const ScalarType int16 = ScalarType.Int16;

    /// <summary>Signed 32-bit integers.</summary>
    public const ScalarType int32 = ScalarType.Int32;

    /// <summary>Signed 64-bit integers.</summary>
    public const ScalarType int64 = ScalarType.Int64;

    /// <summary>Signed 64-bit integers.</summary>
    public const ScalarType @long = ScalarType.Int64;

    /// <summary>Half precision.</summary>
    public const ScalarType float16 = ScalarType.Float16;

    /// <summary>Half precision.</summary>
    public const ScalarType half = ScalarType.Float16;

    /// <summary>Single precision.</summary>
    public const ScalarType float32 = ScalarType.Float32;

    /// <summary>Double precision.</summary>
    public const ScalarType float64 = ScalarType.Float64;

    /// <summary>The upper half of single precision.</summary>
    public const ScalarType bfloat16 = ScalarType.BFloat16;

    /// <summary>Truth values.</summary>
    public const ScalarType @bool = ScalarType.Bool;

    /// <summary>True for the floating-point types, the only ones that can carry gradients besides complex ones.</summary>
    public static bool is_floating_point(ScalarType type)
        => type is ScalarType.Float16 or ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16
            or ScalarType.Float8E4M3 or ScalarType.Float8E5M2;

    /// <summary>True for the integer types, not for bool.</summary>
    public static bool is_integral(ScalarType type) => type is >= ScalarType.Byte and <= ScalarType.Int64;

    /// <summary>True for the floating-point types.</summary>
    public static bool IsFloatingPoint(this ScalarType type) => is_floating_point(type);

    /// <summary>Bytes that one element takes.</summary>
    public static int ElementSize(this ScalarType type) => type switch
    {
        ScalarType.Int16 or ScalarType.Float16 or ScalarType.BFloat16 => 2,
        ScalarType.Int32 or ScalarType.Float32 or ScalarType.ComplexFloat16 => 4,
        ScalarType.Int64 or ScalarType.Float64 or ScalarType.ComplexFloat32 => 8,
        ScalarType.ComplexFloat64 => 16,
        _ => 1,
    };
}
