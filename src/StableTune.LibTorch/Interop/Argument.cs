using System.Text;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>
/// An argument of an operator on the managed side: the value, and the object that must stay alive until the call is over.
/// What a number becomes (an integer, a float, a scalar) is decided by the operator's schema, not here.
/// </summary>
internal readonly struct Argument
{
    internal readonly Value Value;

    /// <summary>The tensor or generator behind the handle, or the array whose items are copied beside the call.</summary>
    internal readonly object? Owner;

    private Argument(Tag tag, long payload, object? owner = null, int count = 0)
    {
        Value = new Value { Tag = tag, Count = count, Integer = payload };
        Owner = owner;
    }

    /// <summary>Leaves the argument to the schema's default.</summary>
    internal static Argument Default => new(Tag.Default, 0);

    public static implicit operator Argument(Tensor? tensor) => tensor is null ? default : new(Tag.Tensor, tensor.Handle, tensor);

    public static implicit operator Argument(int value) => new(Tag.Integer, value);

    public static implicit operator Argument(long value) => new(Tag.Integer, value);

    public static implicit operator Argument(double value) => new(Tag.Real, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator Argument(bool value) => new(Tag.Boolean, value ? 1 : 0);

    public static implicit operator Argument(long? value) => value is { } given ? given : default(Argument);

    public static implicit operator Argument(double? value) => value is { } given ? given : default(Argument);

    public static implicit operator Argument(Scalar value) => new(value.Tag, value.Payload);

    public static implicit operator Argument(Scalar? value) => value is { } given ? given : default(Argument);

    public static implicit operator Argument(ScalarType type) => new(Tag.Integer, (long)type);

    public static implicit operator Argument(ScalarType? type) => type is { } given ? given : default(Argument);

    public static implicit operator Argument(Device? device) => device is null ? default : new(Tag.Device, device.Code);

    public static implicit operator Argument(Generator? generator)
        => generator is null ? default : new(Tag.Generator, generator.Handle, generator);

    public static implicit operator Argument(long[]? items) => items is null ? default : new(Tag.Integers, 0, items, items.Length);

    public static implicit operator Argument(double[]? items) => items is null ? default : new(Tag.Reals, 0, items, items.Length);

    public static implicit operator Argument(string? text)
    {
        if (text is null) return default;
        var bytes = Encoding.UTF8.GetBytes(text);
        return new(Tag.Text, 0, bytes, bytes.Length);
    }

    /// <summary>A list of tensors; a null entry is an absent one, where the operator allows it.</summary>
    internal static Argument List(IEnumerable<Tensor?> tensors)
    {
        var items = tensors as Tensor?[] ?? [.. tensors];
        return new(Tag.Tensors, 0, items, items.Length);
    }

    /// <summary>A list of truth values, such as an output mask.</summary>
    internal static Argument List(bool[] items) => new(Tag.Booleans, 0, Array.ConvertAll(items, item => item ? 1L : 0L), items.Length);

    /// <summary>How many 8-byte words the list needs beside the call; 0 for what is no list.</summary>
    internal int Words => Value.Tag switch
    {
        Tag.Integers or Tag.Reals or Tag.Tensors or Tag.Booleans => Value.Count,
        Tag.Text => (Value.Count + 7) / 8,
        _ => 0,
    };

    /// <summary>Copies the items of a list to where the call can point at them.</summary>
    internal unsafe void CopyItems(long* destination)
    {
        switch (Owner)
        {
            case long[] integers:
                integers.CopyTo(new Span<long>(destination, integers.Length));
                break;
            case double[] reals:
                reals.CopyTo(new Span<double>(destination, reals.Length));
                break;
            case byte[] text:
                text.CopyTo(new Span<byte>(destination, text.Length));
                break;
            case Tensor?[] tensors:
                for (var k = 0; k < tensors.Length; k++) destination[k] = tensors[k]?.Handle ?? 0;
                break;
        }
    }
}
