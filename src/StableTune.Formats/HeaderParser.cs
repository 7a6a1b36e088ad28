using System.Text.Json;

namespace StableTune.Formats;

/// <summary>Turns the JSON of a safetensors header into tensors and metadata; every fault names the tensor and the values.</summary>
internal sealed class HeaderParser(string path)
{
    /// <summary>The most dimensions a tensor may have: what tensor libraries support, and a bound on the memory one name can
    /// take.</summary>
    private const int MaximumDimensions = 64;

    private const string Again = "The file is damaged or was written by a faulty program: download or save it again.";

    private readonly List<TensorInfo> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private OrderedDictionary<string, string>? _metadata;

    /// <summary>Parses the whole header.</summary>
    /// <exception cref="InvalidFileException">The bytes are not JSON, or not a safetensors header.</exception>
    public (List<TensorInfo> Tensors, OrderedDictionary<string, string>? Metadata) Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            Move(ref reader);
            while (Move(ref reader) == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                Move(ref reader);
                if (!_names.Add(name)) throw Fault($"the name '{name}' occurs twice in the header.");
                if (name == "__metadata__") ReadMetadata(ref reader);
                else _tensors.Add(ReadTensor(ref reader, name));
            }

            // Behind the closing brace only blanks may follow; this is where the reader would meet anything else.
            while (reader.Read()) { }
        }
        catch (JsonException e)
        {
            throw new InvalidFileException(path, $"the header is not valid JSON (line {e.LineNumber}, byte {e.BytePositionInLine}).",
                Again, e);
        }
        catch (InvalidOperationException e)
        {
            // What Utf8JsonReader throws for text that is not UTF-8 or holds half of a surrogate pair.
            throw new InvalidFileException(path, "the header holds text that is not valid UTF-8.", Again, e);
        }

        return (_tensors, _metadata);
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Fault($"'__metadata__' must be an object of texts, but is {Describe(reader.TokenType)}.");
        _metadata = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        while (Move(ref reader) == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            if (Move(ref reader) != JsonTokenType.String)
                throw Fault($"metadata '{key}' must be a text, but is {Describe(reader.TokenType)}.");
            if (!_metadata.TryAdd(key, reader.GetString()!)) throw Fault($"metadata '{key}' occurs twice.");
        }
    }

    private TensorInfo ReadTensor(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Fault($"the entry of tensor '{name}' must be an object, but is {Describe(reader.TokenType)}.");
        (TensorDType? type, List<long>? shape, List<long>? offsets) = (null, null, null);
        while (Move(ref reader) == JsonTokenType.PropertyName)
        {
            var field = reader.GetString()!;
            Move(ref reader);
            switch (field)
            {
                case "dtype" when type is null: type = ReadType(ref reader, name); break;
                case "shape" when shape is null: shape = ReadNumbers(ref reader, name, field, MaximumDimensions); break;
                case "data_offsets" when offsets is null: offsets = ReadNumbers(ref reader, name, field, 2); break;
                case "dtype" or "shape" or "data_offsets": throw Fault($"tensor '{name}' has two entries '{field}'.");
                default: Skip(ref reader); break;       // the reference library passes over unknown entries as well
            }
        }

        if (type is null) throw Fault($"tensor '{name}' has no 'dtype'.");
        if (shape is null) throw Fault($"tensor '{name}' has no 'shape'.");
        if (offsets is not { Count: 2 })
            throw Fault($"tensor '{name}' must have 'data_offsets' of two numbers, but has {offsets?.Count ?? 0}.");
        return Check(new TensorInfo(name, type.Value, shape, offsets[0], offsets[1]));
    }

    private TensorInfo Check(TensorInfo tensor)
    {
        if (tensor.End < tensor.Begin)
            throw Fault($"tensor '{tensor.Name}' ends at byte {tensor.End} of the data, before its begin at {tensor.Begin}.");
        if (TensorInfo.SizeOf(tensor.DType, tensor.Shape) is not { } size)
            throw Fault($"tensor '{tensor.Name}' has the impossible size {tensor}: its number of bytes overflows.");
        if (size != tensor.ByteCount)
            throw Fault(
                $"tensor '{tensor.Name}' is {tensor}, which takes {size} bytes, but its data_offsets {tensor.Begin}..{tensor.End} hold "
                    + $"{tensor.ByteCount}.");
        return tensor;
    }

    private TensorDType ReadType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw Fault($"the dtype of tensor '{name}' must be a text, but is {Describe(reader.TokenType)}.");
        var text = reader.GetString()!;
        return TensorDTypes.TryParse(text, out var type) ? type : throw new InvalidFileException(path,
            $"tensor '{name}' has the unknown dtype '{text}'.",
            $"Known are {string.Join(", ", TensorDTypes.Names)}: convert the file to one of these.");
    }

    private List<long> ReadNumbers(ref Utf8JsonReader reader, string name, string field, int limit)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Fault($"'{field}' of tensor '{name}' must be a list of numbers, but is {Describe(reader.TokenType)}.");
        var numbers = new List<long>();
        while (Move(ref reader) != JsonTokenType.EndArray)
        {
            if (numbers.Count == limit) throw Fault($"'{field}' of tensor '{name}' has more than {limit} numbers.");
            if (reader.TokenType != JsonTokenType.Number)
                throw Fault($"'{field}' of tensor '{name}' holds {Describe(reader.TokenType)} instead of a number.");
            if (!reader.TryGetInt64(out var number))
                throw Fault(
                    $"'{field}' of tensor '{name}' holds {Shorten(reader.ValueSpan)}, which is not a whole number of at most 63 bits.");
            if (number < 0) throw Fault($"'{field}' of tensor '{name}' holds the negative number {number}.");
            numbers.Add(number);
        }

        return numbers;
    }

    /// <summary>The next token; a header that ends too early is a JSON fault of its own.</summary>
    private JsonTokenType Move(ref Utf8JsonReader reader) =>
        reader.Read() ? reader.TokenType : throw Fault("the header ends in the middle of its JSON.");

    private void Skip(ref Utf8JsonReader reader)
    {
        if (!reader.TrySkip()) throw Fault("the header ends in the middle of its JSON.");
    }

    private static string Shorten(ReadOnlySpan<byte> number) =>
        System.Text.Encoding.UTF8.GetString(number.Length > 40 ? number[..40] : number) + (number.Length > 40 ? "..." : "");

    private static string Describe(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a text",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null",
        _ => "nothing",
    };

    private InvalidFileException Fault(string fault) => new(path, fault, Again);
}
