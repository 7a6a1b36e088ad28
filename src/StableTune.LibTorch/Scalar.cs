using System.Globalization;

namespace StableTune.LibTorch;

/// <summary>
/// A number that is handed to an operator: an integer, a floating-point number or a truth value. Every .NET number converts to it.
/// Under PyTorch's promotion rules a scalar never widens a tensor of its own kind: float32 times a scalar stays float32.
/// </summary>
public readonly struct Scalar : IEquatable<Scalar>
{
    private Scalar(Tag tag, long payload) => (Tag, Payload) = (tag, payload);

    internal Tag Tag { get; }

    /// <summary>The integer, or the bits of the floating-point number.</summary>
    internal long Payload { get; }

    private double Number => Tag == Tag.Real ? BitConverter.Int64BitsToDouble(Payload) : Payload;

    /// <summary>An integer.</summary>
    public static implicit operator Scalar(byte value) => new(Tag.Integer, value);

    /// <summary>An integer.</summary>
    public static implicit operator Scalar(sbyte value) => new(Tag.Integer, value);

    /// <summary>An integer.</summary>
    public static implicit operator Scalar(short value) => new(Tag.Integer, value);

    /// <summary>An integer.</summary>
    public static implicit operator Scalar(int value) => new(Tag.Integer, value);

    /// <summary>An integer.</summary>
    public static implicit operator Scalar(long value) => new(Tag.Integer, value);

    /// <summary>A floating-point number.</summary>
    public static implicit operator Scalar(Half value) => (double)value;

    /// <summary>A floating-point number.</summary>
    public static implicit operator Scalar(float value) => (double)value;

    /// <summary>A floating-point number.</summary>
    public static implicit operator Scalar(double value) => new(Tag.Real, BitConverter.DoubleToInt64Bits(value));

    /// <summary>A truth value.</summary>
    public static implicit operator Scalar(bool value) => new(Tag.Boolean, value ? 1 : 0);

    /// <summary>The dtype a tensor made from it has when none is asked for: int64, float32 or bool.</summary>
    public torch.ScalarType Type => Tag switch
    {
        Tag.Real => torch.ScalarType.Float32,
        Tag.Boolean => torch.ScalarType.Bool,
        _ => torch.ScalarType.Int64,
    };

    /// <summary>The value as a double.</summary>
    public double ToDouble() => Number;

    /// <summary>The value as a float.</summary>
    public float ToSingle() => (float)Number;

    /// <summary>The value as a 64-bit integer; a fraction is cut off.</summary>
    public long ToInt64() => Tag == Tag.Real ? (long)Number : Payload;

    /// <summary>The value as a 32-bit integer; a fraction is cut off.</summary>
    /// <exception cref="OverflowException">It does not fit.</exception>
    public int ToInt32() => checked((int)ToInt64());

    /// <summary>True unless the value is zero.</summary>
    public bool ToBoolean() => Number != 0;

    /// <inheritdoc/>
    public bool Equals(Scalar other) => Tag == other.Tag && Payload == other.Payload;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Scalar other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Tag, Payload);

    /// <summary>Same kind and same value.</summary>
    public static bool operator ==(Scalar left, Scalar right) => left.Equals(right);

    /// <summary>Another kind or another value.</summary>
    public static bool operator !=(Scalar left, Scalar right) => !left.Equals(right);

    /// <summary>The number, in the invariant culture.</summary>
    public override string ToString() => Tag switch
    {
        Tag.Real => Number.ToString(CultureInfo.InvariantCulture),
        Tag.Boolean => Payload != 0 ? "true" : "false",
        _ => Payload.ToString(CultureInfo.InvariantCulture),
    };
}
