namespace StableTune.Formats;

/// <summary>The memory that tensors of a pickle lie in: a key, under which the file has the bytes, and their number.</summary>
internal sealed class TensorStorage : PickleValue
{
    public TensorStorage(string key, TensorDType type, bool untyped, long count, long byteCount) =>
        (Key, Type, IsUntyped, Count, ByteCount) = (key, type, untyped, count, byteCount);

    /// <summary>Bytes in memory, or at a place that is known already.</summary>
    public TensorStorage(StoredBytes stored, TensorDType type) : this("", type, false, stored.Length / type.Size(), stored.Length) =>
        Stored = stored;

    /// <summary>The storage of tensors that do not come from a file.</summary>
    public static TensorStorage None { get; } = new(StoredBytes.Of(default), TensorDType.U8);

    /// <summary>The name in the file.</summary>
    public string Key { get; }

    /// <summary>The element type; <see cref="TensorDType.U8"/> when it is untyped.</summary>
    public TensorDType Type { get; }

    /// <summary>Whether the tensors tell the type.</summary>
    public bool IsUntyped { get; }

    /// <summary>The number of elements under the key.</summary>
    public long Count { get; }

    /// <summary>The number of bytes that tensors may lie in: all, or those of the view.</summary>
    public long ByteCount { get; init; }

    /// <summary>Where a view begins, in bytes.</summary>
    public long ViewOffset { get; init; }

    /// <summary>The bytes, once they are found.</summary>
    public StoredBytes Stored { get; set; }

    public override string TypeName => "torch storage";
}
