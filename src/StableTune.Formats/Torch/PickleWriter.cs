using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>
/// Writes values as a pickle of protocol 2, with the instructions that torch itself uses, so that torch.load reads it also where it allows
/// weights only. Values that are mentioned twice are written once.
/// </summary>
internal sealed class PickleWriter
{
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly MemoryStream _bytes = new();
    private readonly Dictionary<object, int> _memo = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal);
    private readonly List<TensorPayload> _storages = [];
    private int _remembered, _depth;

    /// <summary>The pickle of a value, and the tensors whose storages it names 0, 1, 2 ...</summary>
    /// <exception cref="ArgumentException">The value holds what cannot be written: the message names it.</exception>
    public static (byte[] Pickle, IReadOnlyList<TensorPayload> Storages) Write(PickleValue root)
    {
        var writer = new PickleWriter();
        writer.Put(0x80, 2);
        writer.Value(root);
        writer.Put('.');
        return (writer._bytes.ToArray(), writer._storages);
    }

    private void Value(PickleValue value)
    {
        switch (value)
        {
            case PickleNone: Put('N'); break;
            case PickleBoolean boolean: Put(boolean.Value ? 0x88 : 0x89); break;
            case PickleInteger integer: Integer(integer); break;
            case PickleFloat number: Float(number.Value); break;
            case PickleText text: Text(text.Value); break;
            case PickleBytes bytes: Bytes(bytes.Value.Span); break;
            case PickleTensor tensor: Once(tensor, () => Tensor(tensor)); break;
            case PickleDictionary dictionary: Nested(dictionary, () => Dictionary(dictionary)); break;
            case PickleSequence { Kind: PickleSequenceKind.List or PickleSequenceKind.Tuple } sequence: Nested(sequence, () =>
                Sequence(sequence)); break;
            default: throw new ArgumentException(
                $"{value} of type {value.TypeName} cannot be written: only None, booleans, numbers, texts, bytes, lists, tuples, " +
                "dictionaries and tensors are.");
        }
    }

    private void Nested(PickleValue value, Action write)
    {
        if (++_depth > PickleMachine.MaximumNesting)
            throw new ArgumentException($"The value is nested more than {PickleMachine.MaximumNesting} deep.");
        Once(value, write);
        _depth--;
    }

    /// <summary>Writes an object, or recalls it.</summary>
    private void Once(object value, Action write)
    {
        if (_memo.TryGetValue(value, out var index)) Recall(index);
        else write();
    }

    private void Dictionary(PickleDictionary dictionary)
    {
        if (dictionary.IsOrdered)
        {
            Name("collections", "OrderedDict");
            Put(')', 'R');
        }
        else
        {
            Put('}');
        }

        Remember(dictionary);
        if (dictionary.Count == 0) return;
        Put('(');
        foreach (var (key, value) in dictionary)
        {
            Value(key);
            Value(value);
        }

        Put('u');
    }

    private void Sequence(PickleSequence sequence)
    {
        var isList = sequence.Kind == PickleSequenceKind.List;
        if (!isList && sequence.Count == 0)
        {
            Put(')');
            return;
        }

        if (isList)
        {
            Put(']');
            Remember(sequence);
            if (sequence.Count == 0) return;
        }

        Put('(');
        foreach (var item in sequence) Value(item);
        Put(isList ? 'e' : 't');
        if (!isList) Remember(sequence);
    }

    /// <summary>_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()), or v3 for types that have no storage class.</summary>
    private void Tensor(PickleTensor tensor)
    {
        var payload = tensor.Payload ??
            throw new ArgumentException(
                $"The tensor {tensor} lies in a file: make a TensorPayload of it, which reads it when it is written.");
        var storage = TorchTensors.StorageTypes.FirstOrDefault(row => row.Type == tensor.DType).Name;
        Name("torch._utils", storage is null ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
        Put('(', '(');
        Known("storage");
        if (storage is null) Name("torch.storage", "UntypedStorage");
        else Name("torch", storage);
        Text(_storages.Count.ToString(CultureInfo.InvariantCulture));
        Known("cpu");
        Integer(PickleInteger.Of(storage is null ? tensor.ByteCount : tensor.ByteCount / tensor.DType.Size()));
        Put('t', 'Q');
        Put('K', 0);
        Numbers(tensor.Place.Shape);
        Numbers(tensor.Place.Strides);
        Put(0x89);
        Name("collections", "OrderedDict");
        Put(')', 'R');
        if (storage is null) Name("torch", TorchTensors.TypeNames.First(row => row.Type == tensor.DType).Name);
        Put('t', 'R');
        Remember(tensor);
        _storages.Add(payload);
    }

    private void Numbers(long[] numbers)
    {
        if (numbers.Length > 0) Put('(');
        foreach (var number in numbers) Integer(PickleInteger.Of(number));
        Put(numbers.Length > 0 ? 't' : ')');
    }

    private void Integer(PickleInteger integer)
    {
        Span<byte> bytes = stackalloc byte[8];
        if (!integer.TryGetInt64(out var value) || value is < int.MinValue or > int.MaxValue)
        {
            var all = integer.Value.ToByteArray();
            if (all.Length > byte.MaxValue)
                throw new ArgumentException($"An integer of {all.Length} bytes cannot be written; 255 is the most.");
            Put(0x8A, all.Length);
            _bytes.Write(all);
        }
        else if (value is >= 0 and <= byte.MaxValue)
        {
            Put('K', (int)value);
        }
        else if (value is >= 0 and <= ushort.MaxValue)
        {
            Put('M', (int)value & 255, (int)value >> 8);
        }
        else
        {
            Put('J');
            BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)value);
            _bytes.Write(bytes[..4]);
        }
    }

    private void Float(double value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        Put('G');
        _bytes.Write(bytes);
    }

    private void Text(string text)
    {
        byte[] bytes;
        try
        {
            bytes = Utf8.GetBytes(text);
        }
        catch (EncoderFallbackException e)
        {
            throw new ArgumentException($"The text {PickleNames.Quote(text)} holds half of a surrogate pair.", e);
        }

        Put('X');
        Number4(bytes.Length);
        _bytes.Write(bytes);
    }

    /// <summary>Protocol 2 has no bytes: a text in Latin-1 stands for them.</summary>
    private void Bytes(ReadOnlySpan<byte> bytes)
    {
        Name("_codecs", "encode");
        Text(Encoding.Latin1.GetString(bytes));
        Known("latin1");
        Put(0x86, 'R');
    }

    private void Known(string text) => Shared(text, () => Text(text));

    private void Name(string module, string name) => Shared($"{module}\n{name}\n", () =>
    {
        Put('c');
        _bytes.Write(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));
    });

    private void Shared(string key, Action write)
    {
        if (_names.TryGetValue(key, out var index))
        {
            Recall(index);
            return;
        }

        write();
        _names.Add(key, PutMemo());
    }

    private void Remember(object value) => _memo.Add(value, PutMemo());

    private int PutMemo()
    {
        if (_remembered <= byte.MaxValue) Put('q', _remembered);
        else Number4('r', _remembered);
        return _remembered++;
    }

    private void Recall(int index)
    {
        if (index <= byte.MaxValue) Put('h', index);
        else Number4('j', index);
    }

    private void Number4(int opcode, int number)
    {
        Put(opcode);
        Number4(number);
    }

    private void Number4(int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        _bytes.Write(bytes);
    }

    private void Put(params ReadOnlySpan<int> bytes)
    {
        foreach (var value in bytes) _bytes.WriteByte((byte)value);
    }
}
