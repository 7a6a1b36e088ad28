using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>As many numbers as a register of the processor holds.</summary>
internal readonly struct Lanes(Vector<float> values) : INumbers<Lanes>
{
    public Vector<float> Values { get; } = values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator +(Lanes a, Lanes b) => new(a.Values + b.Values);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator -(Lanes a, Lanes b) => new(a.Values - b.Values);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator *(Lanes a, Lanes b) => new(a.Values * b.Values);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator /(Lanes a, Lanes b) => new(a.Values / b.Values);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator +(Lanes a, float b) => new(a.Values + new Vector<float>(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator *(Lanes a, float b) => new(a.Values * new Vector<float>(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes operator /(Lanes a, float b) => new(a.Values / new Vector<float>(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Of(float value, Lanes like) => new(new Vector<float>(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes NanToZero(Lanes a) =>
        new(Vector.ConditionalSelect(Vector.Equals(a.Values, a.Values), a.Values, Vector<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Zero(Lanes like) => new(Vector<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Sqrt(Lanes a) => new(Vector.SquareRoot(a.Values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Abs(Lanes a) => new(Vector.Abs(a.Values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Sign(Lanes a)
    {
        var (zero, one) = (Vector<float>.Zero, Vector<float>.One);
        return new(Vector.ConditionalSelect(Vector.GreaterThan(a.Values, zero), one, zero)
            - Vector.ConditionalSelect(Vector.LessThan(a.Values, zero), one, zero));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Max(Lanes a, Lanes b) => new(Vector.Max(a.Values, b.Values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Clamp(Lanes a, float least, float most) =>
        new(Vector.Min(Vector.Max(a.Values, new Vector<float>(least)), new Vector<float>(most)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Lerp(Lanes a, Lanes b, float share) =>
        new(Vector.FusedMultiplyAdd(new Vector<float>(share), b.Values - a.Values, a.Values));
}
