using System.Buffers.Binary;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Makes what checkpoints hold by custom beyond a module's tensors, because programs that read them ask for it.</summary>
/// <param name="prefix">What the part's names begin with.</param>
/// <param name="written">The part's tensors as they are written, by their names in the file.</param>
internal delegate IEnumerable<TensorPayload> CheckpointFiller(string prefix, IReadOnlyDictionary<string, TensorPayload> written);

/// <summary>The fillers.</summary>
internal static class CheckpointFillers
{
    /// <summary>0, 1, 2, ... as int64, [1, positions]: a buffer that CLIP had until transformers 4.31, and that older programs
    /// want.</summary>
    public static CheckpointFiller PositionIds(int positions) => (prefix, _) =>
    [
        new TensorPayload($"{prefix}text_model.embeddings.position_ids", TensorDType.I64, [1, positions], stream =>
        {
            Span<byte> bytes = stackalloc byte[8];
            for (var position = 0; position < positions; position++)
            {
                BinaryPrimitives.WriteInt64LittleEndian(bytes, position);
                stream.Write(bytes);
            }
        }),
    ];

    /// <summary>The last layer of OpenCLIP, which SD 2.x does not use: a copy of the one before.</summary>
    /// <param name="layers">The layers that are used.</param>
    public static CheckpointFiller UnusedLayer(int layers) => (prefix, written) =>
    {
        var (last, unused) = ($"{prefix}transformer.resblocks.{layers - 1}.", $"{prefix}transformer.resblocks.{layers}.");
        return [.. written.Values.Where(payload => payload.Name.StartsWith(last, StringComparison.Ordinal))
            .Select(payload => payload with { Name = unused + payload.Name[last.Length..] })];
    };

    /// <summary>OpenCLIP's projection, which SD 2.x does not use: ones, [width, width].</summary>
    public static CheckpointFiller Projection(int width) => (prefix, written) =>
        [Ones($"{prefix}text_projection", [width, width], Type(prefix, written))];

    /// <summary>OpenCLIP's scale of similarities, which nobody uses: 1.</summary>
    public static CheckpointFiller LogitScale => (prefix, written) => [Ones($"{prefix}logit_scale", [], Type(prefix, written))];

    private static TensorDType Type(string prefix, IReadOnlyDictionary<string, TensorPayload> written) =>
        written.TryGetValue($"{prefix}positional_embedding", out var embedding)
            && One(embedding.DType).Length > 0 ? embedding.DType : TensorDType.F32;

    private static TensorPayload Ones(string name, long[] shape, TensorDType type) => new(name, type, shape, stream =>
    {
        var row = new byte[(shape.Length == 0 ? 1 : shape[^1]) * type.Size()];
        for (var at = 0; at < row.Length; at += type.Size()) One(type).CopyTo(row.AsSpan(at));
        for (var rows = shape.Length < 2 ? 1 : shape[0]; rows > 0; rows--) stream.Write(row);
    });

    // The bytes of the number 1, little-endian; none for types that weights do not have.
    private static ReadOnlySpan<byte> One(TensorDType type) => type switch
    {
        TensorDType.F16 => [0x00, 0x3C],
        TensorDType.BF16 => [0x80, 0x3F],
        TensorDType.F32 => [0x00, 0x00, 0x80, 0x3F],
        TensorDType.F64 => [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xF0, 0x3F],
        _ => [],
    };
}
