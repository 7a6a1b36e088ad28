using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using StableTune.Formats;

namespace StableTune.Tensors;

/// <summary>
/// Conversion between floating-point types in memory, by way of float32, as libtorch converts. It is not
/// libtorch's because reading threads use it: an operator would start threads of its own in each of them.
/// </summary>
internal static class FloatConversion
{
    private static readonly float[] E4M3 = Table(mantissaBits: 3, bias: 7, hasInfinity: false);
    private static readonly float[] E5M2 = Table(mantissaBits: 2, bias: 15, hasInfinity: true);

    /// <summary>Whether this conversion can be done here.</summary>
    public static bool Handles(TensorDType from, ScalarType to) => from.IsFloat() && to.IsFloat();

    /// <summary>Converts stored elements.</summary>
    /// <param name="from">The stored bytes, n elements.</param>
    /// <param name="fromType">Their type, a floating-point one.</param>
    /// <param name="to">Receives n elements.</param>
    /// <param name="toType">Their type, a floating-point one.</param>
    /// <param name="buffer">At least n numbers of working memory.</param>
    public static void Convert(ReadOnlySpan<byte> from, TensorDType fromType, Span<byte> to, ScalarType toType, float[] buffer)
    {
        var direct = toType == ScalarType.Float32;
        var floats = direct ? MemoryMarshal.Cast<byte, float>(to) : buffer.AsSpan(0, from.Length / fromType.Size());
        Widen(from, fromType, floats);
        if (!direct) Narrow(floats, to, toType);
    }

    private static void Widen(ReadOnlySpan<byte> from, TensorDType type, Span<float> to)
    {
        switch (type)
        {
            case TensorDType.F32: MemoryMarshal.Cast<byte, float>(from).CopyTo(to); break;
            case TensorDType.F16: TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(from), to); break;
            case TensorDType.BF16: WidenBrain(MemoryMarshal.Cast<byte, ushort>(from), to); break;
            case TensorDType.F64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(from), to); break;
            case TensorDType.F8E4M3: Look(from, E4M3, to); break;
            case TensorDType.F8E5M2: Look(from, E5M2, to); break;
            default: throw new ArgumentException($"{type} is no floating-point type.", nameof(type));
        }
    }

    private static void Narrow(ReadOnlySpan<float> from, Span<byte> to, ScalarType type)
    {
        switch (type)
        {
            case ScalarType.Float16: TensorPrimitives.ConvertToHalf(from, MemoryMarshal.Cast<byte, Half>(to)); break;
            case ScalarType.BFloat16: NarrowBrain(from, MemoryMarshal.Cast<byte, ushort>(to)); break;
            case ScalarType.Float64: TensorPrimitives.ConvertTruncating(from, MemoryMarshal.Cast<byte, double>(to)); break;
            default: throw new ArgumentException($"{type} is no floating-point type.", nameof(type));
        }
    }

    private static void Look(ReadOnlySpan<byte> codes, float[] table, Span<float> to)
    {
        for (var i = 0; i < codes.Length; i++) to[i] = table[codes[i]];
    }

    private static void WidenBrain(ReadOnlySpan<ushort> from, Span<float> to)
    {
        var bits = MemoryMarshal.Cast<float, uint>(to);
        var i = 0;
        for (; i <= from.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(from[i..]), out var low, out var high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }

        for (; i < from.Length; i++) bits[i] = (uint)from[i] << 16;
    }

    private static void NarrowBrain(ReadOnlySpan<float> from, Span<ushort> to)
    {
        var bits = MemoryMarshal.Cast<float, uint>(from);
        var i = 0;
        for (; i <= to.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
            Vector.Narrow(Round(new Vector<uint>(bits[i..])), Round(new Vector<uint>(bits[(i + Vector<uint>.Count)..]))).CopyTo(to[i..]);
        for (; i < to.Length; i++) to[i] = Round(bits[i]);
    }

    /// <summary>To nearest, ties to even; NaN becomes 0x7FC0, as in libtorch.</summary>
    private static Vector<uint> Round(Vector<uint> bits)
    {
        var rounded = (bits + new Vector<uint>(0x7FFF) + ((bits >>> 16) & Vector<uint>.One)) >>> 16;
        var isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7FFFFFFF), new Vector<uint>(0x7F800000));
        return Vector.ConditionalSelect(isNaN, new Vector<uint>(0x7FC0), rounded);
    }

    private static ushort Round(uint bits) =>
        (bits & 0x7FFFFFFF) > 0x7F800000 ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);

    private static float[] Table(int mantissaBits, int bias, bool hasInfinity) =>
        [.. Enumerable.Range(0, 256).Select(code => Decode((byte)code, mantissaBits, bias, hasInfinity))];

    /// <summary>Eight-bit floats after Micikevicius et al., FP8 formats for deep learning, arXiv:2209.05433, table 1.</summary>
    private static float Decode(byte code, int mantissaBits, int bias, bool hasInfinity)
    {
        var exponent = (code & 0x7F) >> mantissaBits;
        var mantissa = code & ((1 << mantissaBits) - 1);
        var top = (1 << (7 - mantissaBits)) - 1;
        var sign = code < 0x80 ? 1f : -1f;
        if (hasInfinity && exponent == top) return mantissa == 0 ? sign * float.PositiveInfinity : float.NaN;
        if (!hasInfinity && (code & 0x7F) == 0x7F) return float.NaN;
        var fraction = mantissa / (float)(1 << mantissaBits);
        return sign * (exponent == 0 ? MathF.ScaleB(fraction, 1 - bias) : MathF.ScaleB(1 + fraction, exponent - bias));
    }
}
