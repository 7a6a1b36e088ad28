using System.Buffers.Binary;
using System.Numerics;

namespace StableTune.Formats;

/// <summary>An element type of NumPy, as a pickle builds it: the name first, the byte order afterwards.</summary>
internal sealed class NumpyType(TensorDType type) : PickleValue
{
    public TensorDType Type { get; } = type;

    public override string TypeName => "numpy.dtype";

    /// <summary>The state: (version, byte order, ...); only the byte order matters for numbers.</summary>
    public void SetState(PickleMachine machine, PickleValue state)
    {
        if (state is not PickleSequence { Count: >= 2 } tuple || tuple[1] is not PickleText order)
            throw machine.Fault("a NumPy type has a state without a byte order");
        if (order.Value is not ("<" or "|" or "="))
            throw machine.Source.Fault("the pickle holds NumPy numbers with the most significant byte first.",
                "Save the file on a little-endian machine, or as .safetensors.");
    }
}

/// <summary>Makes values of what a pickle says about NumPy's numbers and arrays.</summary>
internal static class NumpyPickle
{
    private static readonly Dictionary<string, TensorDType> Types = new(StringComparer.Ordinal)
    {
        ["f8"] = TensorDType.F64, ["f4"] = TensorDType.F32, ["f2"] = TensorDType.F16,
        ["i8"] = TensorDType.I64, ["i4"] = TensorDType.I32, ["i2"] = TensorDType.I16, ["i1"] = TensorDType.I8,
        ["u1"] = TensorDType.U8, ["u2"] = TensorDType.U16, ["u4"] = TensorDType.U32, ["u8"] = TensorDType.U64, ["b1"] = TensorDType.Bool,
    };

    /// <summary>numpy.dtype('f4', ...).</summary>
    public static PickleValue Type(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        if (arguments.Count == 0 || arguments[0] is not PickleText text)
            throw machine.Fault($"the pickle calls {global} without the name of a type");
        var name = text.Value;
        if (name.Length == 3 && name[0] is '<' or '|' or '=') name = name[1..];
        return Types.TryGetValue(name, out var type) ? new NumpyType(type)
            : throw machine.Fault($"the pickle holds NumPy values of type {text}; known are {string.Join(", ", Types.Keys)}");
    }

    /// <summary>A single number: scalar(dtype, bytes).</summary>
    public static PickleValue Scalar(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        if (arguments is not [NumpyType type, var value] || Bytes(machine, value) is not { InFile: false } stored
            || stored.Length != type.Type.Size())
            throw machine.Fault($"the pickle calls {global} without a type and as many bytes as it has");
        var bytes = stored.Memory.Span;
        return type.Type switch
        {
            TensorDType.F64 => new PickleFloat(BinaryPrimitives.ReadDoubleLittleEndian(bytes)),
            TensorDType.F32 => new PickleFloat(BinaryPrimitives.ReadSingleLittleEndian(bytes)),
            TensorDType.F16 => new PickleFloat((double)BinaryPrimitives.ReadHalfLittleEndian(bytes)),
            TensorDType.Bool => PickleBoolean.Of(bytes[0] != 0),
            TensorDType.U8 or TensorDType.U16 or TensorDType.U32 or TensorDType.U64 =>
                new PickleInteger(new BigInteger(bytes, isUnsigned: true)),
            _ => new PickleInteger(new BigInteger(bytes)),
        };
    }

    /// <summary>_reconstruct(numpy.ndarray, (0,), b'b'): an array that its state fills.</summary>
    public static PickleValue Reconstruct(PickleMachine machine, PickleGlobal global, PickleSequence arguments)
    {
        if (arguments.Count == 0 || arguments[0] is not PickleGlobal { Module: "numpy", Name: "ndarray" })
            throw machine.Fault($"the pickle calls {global} for something else than numpy.ndarray");
        return new PickleTensor(new TensorPlace(TensorDType.I8, [0], [1], 0, TensorStorage.None, 0));
    }

    /// <summary>The state of an array: (version, shape, dtype, whether columns come first, bytes).</summary>
    public static void SetState(PickleMachine machine, PickleTensor array, PickleValue state)
    {
        if (state is not PickleSequence { Count: >= 4 } tuple || TorchTensors.Numbers(tuple[^4]) is not { } shape
            || tuple[^3] is not NumpyType type ||
            tuple[^2] is not PickleBoolean columnsFirst || Bytes(machine, tuple[^1]) is not { } stored)
            throw machine.Fault("a NumPy array has no state of shape, type, order and bytes");
        if (TensorInfo.SizeOf(type.Type, shape) is not { } size || size != stored.Length)
            throw machine.Fault($"a NumPy array of {type.Type.Name()} [{string.Join(", ", shape)}] has {stored.Length} bytes");
        var strides = TensorPlace.RowMajor(shape);
        if (columnsFirst.Value)
        {
            strides = TensorPlace.RowMajor([.. shape.Reverse()]);
            Array.Reverse(strides);
        }

        array.Place = new TensorPlace(type.Type, shape, strides, 0, new TensorStorage(stored, type.Type), size);
    }

    /// <summary>Bytes, also those that Python 2 wrote as a text.</summary>
    private static StoredBytes? Bytes(PickleMachine machine, PickleValue value)
    {
        if (value is PickleBytes bytes) return bytes.Stored;
        if (value is not PickleText text) return null;
        machine.Charge(text.Value.Length);
        return StoredBytes.Of(System.Text.Encoding.UTF8.GetBytes(text.Value));
    }
}
