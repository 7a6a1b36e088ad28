using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>The header of a file to be written, and its tensors in the order of their data.</summary>
internal sealed record SafetensorsLayout(byte[] Header, IReadOnlyList<(TensorPayload Payload, long Size)> Tensors)
{
    /// <summary>Orders the tensors and builds the header.</summary>
    /// <exception cref="ArgumentException">A name occurs twice or is reserved, a shape is impossible, or the header becomes too
    /// long.</exception>
    public static SafetensorsLayout Plan(IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        // UTF-8 order, as the reference sorts bytes; ordinal order of UTF-16 differs for characters beyond the basic plane.
        var ordered = tensors.Select(t => (Payload: t, Key: Encoding.UTF8.GetBytes(t.Name)))
            .OrderBy(t => t.Payload.DType.WritingRank())
            .ThenBy(t => t.Key, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
            .Select(t => (t.Payload, Size: SizeOf(t.Payload))).ToList();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var json = new StringBuilder("{");
        AppendMetadata(json, metadata);
        var offset = 0L;
        foreach (var (tensor, size) in ordered)
        {
            if (tensor.Name == "__metadata__")
                throw new ArgumentException("A tensor cannot be named '__metadata__', a reserved name.", nameof(tensors));
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"Two tensors are named '{tensor.Name}'; names must be unique.", nameof(tensors));
            if (json.Length > 1) json.Append(',');
            JsonText.Append(json, tensor.Name, onlyAscii: false);
            var end = checked(offset + size);
            json.Append(CultureInfo.InvariantCulture,
                $":{{\"dtype\":\"{tensor.DType.Name()}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{end}]}}");
            offset = end;
        }

        var header = Encoding.UTF8.GetBytes(json.Append('}').ToString());
        var padded = new byte[(header.Length + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        header.CopyTo(padded, 0);
        if (padded.Length > SafetensorsHeader.MaximumLength)
            throw new ArgumentException(
                $"The header would take {padded.Length} bytes, and at most {SafetensorsHeader.MaximumLength} are allowed: shorten the "
                    + $"metadata.", nameof(metadata));
        return new SafetensorsLayout(padded, ordered);
    }

    private static long SizeOf(TensorPayload tensor) => TensorInfo.SizeOf(tensor.DType, tensor.Shape) ??
        throw new ArgumentException($"Tensor '{tensor.Name}' has the impossible shape [{string.Join(", ", tensor.Shape)}].",
            nameof(tensor));

    private static void AppendMetadata(StringBuilder json, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null) return;
        json.Append("\"__metadata__\":{");
        var first = true;
        foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!first) json.Append(',');
            first = false;
            JsonText.Append(json, key, onlyAscii: false);
            json.Append(':');
            JsonText.Append(json, value, onlyAscii: false);
        }

        json.Append('}');
    }
}
