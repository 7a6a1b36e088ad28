using System.Text.Json;

namespace StableTune.Formats;

/// <summary>Reads JSON into the document model of TOML, with lines and columns.</summary>
internal static class JsonConfiguration
{
    private const string Remedy = "Correct the JSON at this place.";

    public static TomlTable Read(ReadOnlySpan<byte> json, string path)
    {
        if (json is [0xEF, 0xBB, 0xBF, ..]) json = json[3..];
        var positions = new Utf8Positions(json);
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = TomlDocument.MaximumDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new InvalidConfigurationException(path, positions.At(0), "the outermost value must be an object in braces.", Remedy);
            var root = ReadTable(ref reader, ref positions, path);
            while (reader.Read()) { }                       // behind the last brace only blanks may follow
            return root;
        }
        catch (JsonException e)
        {
            var line = (int)(e.LineNumber ?? 0);
            var position = new TomlPosition(line + 1, Utf8Positions.ColumnInLine(json, line, (int)(e.BytePositionInLine ?? 0)));
            throw new InvalidConfigurationException(
                path, position, "the file is not valid JSON here, or nested more than 100 deep.", Remedy, e);
        }
        catch (InvalidOperationException e)
        {
            // What Utf8JsonReader throws for text that is not UTF-8 or holds half of a surrogate pair.
            throw new InvalidConfigurationException(path, positions.Last, "a text at or behind this place is not valid UTF-8.", Remedy, e);
        }
    }

    private static TomlTable ReadTable(ref Utf8JsonReader reader, ref Utf8Positions positions, string path)
    {
        var table = new TomlTable(positions.At(reader.TokenStartIndex)) { Origin = TableOrigin.Whole };
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var position = positions.At(reader.TokenStartIndex);
            var key = reader.GetString()!;
            if (table.TryGet(key, out var first))
                throw new InvalidConfigurationException(
                    path, position, $"'{key}' is given a second time; first at {first.Position}.", "Keep one of the two.");
            reader.Read();
            table.Add(new TomlEntry(key, ReadValue(ref reader, ref positions, path), position));
        }

        return table;
    }

    private static TomlValue ReadValue(ref Utf8JsonReader reader, ref Utf8Positions positions, string path)
    {
        var position = positions.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject: return ReadTable(ref reader, ref positions, path);
            case JsonTokenType.String: return new TomlScalar(TomlKind.Text, reader.GetString()!, position);
            case JsonTokenType.True or JsonTokenType.False: return new TomlScalar(TomlKind.Boolean, reader.GetBoolean(), position);
            case JsonTokenType.Null: return new TomlScalar(TomlKind.Null, null, position);
            case JsonTokenType.Number: return ReadNumber(ref reader, position, path);
        }

        var list = new TomlArray(position);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) list.Add(ReadValue(ref reader, ref positions, path));
        return list;
    }

    /// <summary>Reads a number as Python does: without point and exponent it is whole.</summary>
    private static TomlScalar ReadNumber(ref Utf8JsonReader reader, TomlPosition position, string path)
    {
        if (reader.ValueSpan.ContainsAny((byte)'.', (byte)'e', (byte)'E'))
        {
            if (reader.TryGetDouble(out var number) && double.IsFinite(number)) return new TomlScalar(TomlKind.Float, number, position);
        }
        else if (reader.TryGetInt64(out var whole))
            return new TomlScalar(TomlKind.Integer, whole, position);

        throw new InvalidConfigurationException(path, position, "the number does not fit into 64 bits.", "Write a smaller number.");
    }
}
