namespace StableTune.Formats;

/// <summary>Makes tensors and storages of what a torch pickle says about them. Every place is checked against its storage.</summary>
internal static class TorchTensors
{
    /// <summary>How many bytes a tensor may have that its storage has not: expanded tensors repeat elements, but weights do so hardly
    /// ever.</summary>
    private const long MaximumExpansion = 64 << 20;

    /// <summary>The classes of typed storages, all in module <c>torch</c>.</summary>
    public static IReadOnlyList<(string Name, TensorDType Type)> StorageTypes { get; } =
    [
        ("DoubleStorage", TensorDType.F64), ("FloatStorage", TensorDType.F32), ("HalfStorage", TensorDType.F16),
            ("BFloat16Storage", TensorDType.BF16),
        ("LongStorage", TensorDType.I64), ("IntStorage", TensorDType.I32), ("ShortStorage", TensorDType.I16),
            ("CharStorage", TensorDType.I8),
        ("ByteStorage", TensorDType.U8), ("BoolStorage", TensorDType.Bool),
    ];

    /// <summary>The element types, all in module <c>torch</c>; the first name of a type is the one that is written.</summary>
    public static IReadOnlyList<(string Name, TensorDType Type)> TypeNames { get; } =
    [
        ("float64", TensorDType.F64), ("float32", TensorDType.F32), ("float16", TensorDType.F16), ("bfloat16", TensorDType.BF16),
            ("int64", TensorDType.I64),
        ("int32", TensorDType.I32), ("int16", TensorDType.I16), ("int8", TensorDType.I8), ("uint8", TensorDType.U8),
            ("bool", TensorDType.Bool),
        ("float8_e4m3fn", TensorDType.F8E4M3), ("float8_e5m2", TensorDType.F8E5M2),
        ("uint16", TensorDType.U16), ("uint32", TensorDType.U32), ("uint64", TensorDType.U64),
        ("double", TensorDType.F64), ("float", TensorDType.F32), ("half", TensorDType.F16),
        ("long", TensorDType.I64), ("int", TensorDType.I32), ("short", TensorDType.I16),
    ];

    /// <summary>The storage that a persistent id names: ('storage', class, key, location, count), in the legacy form and a view.</summary>
    public static TensorStorage Storage(PickleMachine machine, PickleValue id, bool withView)
    {
        if (id is not PickleSequence { Kind: PickleSequenceKind.Tuple } tuple || tuple.Count < 5
            || tuple[0] is not PickleText { Value: "storage" })
            throw machine.Fault($"the pickle has {id} where a storage ('storage', class, key, location, count) should be named");
        if (tuple[1] is not PickleGlobal { Rule.IsStorage: true } type)
            throw machine.Fault($"a storage is of {tuple[1]}, which is no storage class");
        if (tuple[2] is not PickleText key) throw machine.Fault($"a storage has the key {tuple[2]} instead of a text");
        if (tuple[4] is not PickleInteger number || !number.TryGetInt64(out var count) || count < 0)
            throw machine.Fault($"storage {key} has {tuple[4]} instead of a number of elements");
        machine.Charge(key.Value.Length);
        var element = type.Rule.Element ?? TensorDType.U8;
        if (TensorInfo.SizeOf(element, [count]) is not { } size)
            throw machine.Fault($"storage {key} has the impossible number of {count} elements");
        var (offset, length) = withView && tuple.Count > 5 ? View(machine, tuple[5], key, size, element.Size()) : (0, size);
        return new TensorStorage(key.Value, element, type.Rule.Element is null, count, length) { ViewOffset = offset };
    }

    /// <summary>A view: (key, first element, number of elements).</summary>
    private static (long Offset, long Length) View(PickleMachine machine, PickleValue view, PickleText key, long size, int elementSize)
    {
        if (view is PickleNone) return (0, size);
        if (view is not PickleSequence { Count: 3 } triple || Number(triple[1]) is not { } first || Number(triple[2]) is not { } count)
            throw machine.Fault($"storage {key} has {view} instead of a view (key, offset, count)");
        if (((Int128)first + count) * elementSize > size)
            throw machine.Fault(
                $"a view of storage {key} reaches from element {first} over {count}, but the storage has {size / elementSize}");
        return (first * elementSize, count * elementSize);
    }

    /// <summary>_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata), of which only the first four tell
    /// where it lies.</summary>
    public static PickleValue Rebuild(PickleMachine machine, PickleGlobal global, PickleSequence arguments) =>
        Rebuild(machine, global, arguments, null);

    /// <summary>_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata): over an untyped
    /// storage.</summary>
    public static PickleValue RebuildTyped(PickleMachine machine, PickleGlobal global, PickleSequence arguments) =>
        arguments.Count >= 7 && arguments[6] is PickleGlobal { Rule: { Element: { } type, IsStorage: false } }
            ? Rebuild(machine, global, arguments, type)
            : throw machine.Fault($"the pickle calls {global} without an element type that is known");

    private static PickleTensor Rebuild(PickleMachine machine, PickleGlobal global, PickleSequence arguments, TensorDType? type)
    {
        if (arguments.Count < 4 || arguments[0] is not TensorStorage storage || Number(arguments[1]) is not { } first)
            throw machine.Fault($"the pickle calls {global} without a storage and a place in it");
        if (Numbers(arguments[2]) is not { } shape || Numbers(arguments[3]) is not { } strides)
            throw machine.Fault(
                $"a tensor in storage '{PickleNames.Plain(storage.Key)}' has {arguments[2]} and {arguments[3]} instead of sizes and "
                    + $"strides");
        var place = TensorPlace.Create(type ?? storage.Type, shape, strides, first, storage);
        if (place is not null && place.ByteCount - storage.ByteCount > MaximumExpansion)
            throw machine.Fault(
                $"a tensor of shape [{string.Join(", ", shape)}] repeats the {storage.ByteCount} bytes of its storage up to "
                    + $"{place.ByteCount}");
        return place is not null ? new PickleTensor(place) : throw machine.Fault(
            $"a tensor of shape [{string.Join(", ", shape)}], strides [{string.Join(", ", strides)}] and offset {first} does not fit "
                + $"into storage " +
            $"'{PickleNames.Plain(storage.Key)}' of {storage.ByteCount} bytes");
    }

    /// <summary>A number of 0 or more.</summary>
    public static long? Number(PickleValue value) =>
        value is PickleInteger integer && integer.TryGetInt64(out var number) && number >= 0 ? number : null;

    /// <summary>At most 64 numbers of 0 or more.</summary>
    public static long[]? Numbers(PickleValue value)
    {
        if (value is not PickleSequence { Count: <= TensorPlace.MaximumDimensions } sequence) return null;
        var numbers = new long[sequence.Count];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (Number(sequence[i]) is not { } number) return null;
            numbers[i] = number;
        }

        return numbers;
    }
}
