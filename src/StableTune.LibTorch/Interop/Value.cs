using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

/// <summary>Kinds of a value at the border; the numbers are those of <c>native/shim.h</c>.</summary>
internal enum Tag
{
    None = 0,
    Tensor = 1,
    Integer = 2,
    Real = 3,
    Boolean = 4,
    Integers = 5,
    Reals = 6,
    Tensors = 7,
    Text = 8,
    Device = 9,
    Generator = 10,
    Booleans = 11,
    Default = 12,
}

/// <summary>One argument or result of an operator, as it crosses the border: 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct Value
{
    [FieldOffset(0)] internal Tag Tag;
    [FieldOffset(4)] internal int Count;
    [FieldOffset(8)] internal long Integer;
    [FieldOffset(8)] internal double Real;
    [FieldOffset(8)] internal nint Pointer;

    /// <summary>The value as a scalar; zero for what is not a number.</summary>
    internal readonly Scalar ToScalar() => Tag switch
    {
        Tag.Real => Real,
        Tag.Boolean => Integer != 0,
        _ => Integer,
    };
}
