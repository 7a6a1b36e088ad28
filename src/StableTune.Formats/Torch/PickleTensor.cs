namespace StableTune.Formats;

/// <summary>
/// A tensor of a torch file (or an array of NumPy): where its elements lie, not the elements. Read it with
/// <see cref="TorchFile.Read(PickleTensor, Span{byte}, long)"/>. Made from a <see cref="TensorPayload"/> it stands for a tensor to be
/// written.
/// </summary>
public sealed class PickleTensor : PickleValue
{
    internal PickleTensor(TensorPlace place) => Place = place;

    private PickleTensor(TensorPayload payload, TensorPlace place) => (Payload, Place) = (payload, place);

    /// <summary>The element type.</summary>
    public TensorDType DType => Place.Type;

    /// <summary>The sizes, outermost first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape => Place.Shape;

    /// <summary>The number of bytes of its elements, row by row: what reading gives, not what the file spends on them.</summary>
    public long ByteCount => Place.ByteCount;

    /// <inheritdoc/>
    public override string TypeName => "torch.Tensor";

    /// <inheritdoc/>
    public override string ToString() => Place.ToString();

    /// <summary>A tensor to be written.</summary>
    /// <param name="payload">Its type, shape and bytes; the name only serves messages here.</param>
    /// <exception cref="ArgumentException">The shape is impossible.</exception>
    public static PickleTensor From(TensorPayload payload)
    {
        ArgumentNullException.ThrowIfNull(payload);
        var size = TensorInfo.SizeOf(payload.DType, payload.Shape) ??
            throw new ArgumentException($"Tensor '{payload.Name}' has the impossible shape [{string.Join(", ", payload.Shape)}].",
                nameof(payload));
        var shape = payload.Shape.ToArray();
        return new PickleTensor(payload, new TensorPlace(payload.DType, shape, TensorPlace.RowMajor(shape), 0, TensorStorage.None, size));
    }

    internal TensorPayload? Payload { get; }

    /// <summary>Where it lies. Set anew while a pickle is read, because NumPy gives an array's shape after the array.</summary>
    internal TensorPlace Place { get; set; }
}
