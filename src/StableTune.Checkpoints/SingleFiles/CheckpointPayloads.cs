using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Turns the tensors of a module into those of a checkpoint, as they are written: nothing is held whole but a transposed
/// tensor.</summary>
internal static class CheckpointPayloads
{
    /// <summary>The file's tensors for the module's.</summary>
    /// <param name="layout">The part's names.</param>
    /// <param name="module">The module's tensors, under today's or older names.</param>
    /// <param name="present">Whether the file gets a tensor of this name from elsewhere, so that no filler is needed.</param>
    /// <exception cref="ArgumentException">A tensor has no place in a checkpoint, has an impossible shape, or its companions are
    /// missing.</exception>
    public static IReadOnlyList<TensorPayload> ToFile(KeyMap layout, IEnumerable<TensorPayload> module, Func<string, bool> present)
    {
        var written = new OrderedDictionary<string, TensorPayload>(StringComparer.Ordinal);
        var thirds = new OrderedDictionary<string, TensorPayload?[]>(StringComparer.Ordinal);
        foreach (var payload in module)
        {
            if (layout.IsUnusedInModule(payload.Name)) continue;
            if (layout.ToFile(payload.Name) is not { } target)
                throw new ArgumentException(
                    $"'{payload.Name}' has no place in a checkpoint: it is none of the {layout.Rows.Count} names of {Describe(layout)}.",
                    nameof(module));
            var third = TensorForms.Thirds.IndexOf(target.Form);
            if (third >= 0) Gather(thirds, target.Name, third, payload);
            else if (!written.TryAdd(target.Name, Reshape(payload, target)))
                throw new ArgumentException($"two tensors become '{target.Name}' of the checkpoint, one of them is '{payload.Name}'.",
                    nameof(module));
        }

        foreach (var (name, parts) in thirds) written.Add(name, Join(name, parts));
        foreach (var filler in layout.Fillers)
            foreach (var payload in filler(layout.Prefix, written).Where(payload => !present(payload.Name)))
                written.TryAdd(payload.Name, payload);
        return [.. written.Values];
    }

    private static void Gather(OrderedDictionary<string, TensorPayload?[]> thirds, string name, int third, TensorPayload payload)
    {
        if (!thirds.TryGetValue(name, out var parts)) thirds.Add(name, parts = new TensorPayload?[TensorForms.Thirds.Count]);
        if (parts[third] is not null)
            throw new ArgumentException(
                $"two tensors become the same part of '{name}' of the checkpoint, one of them is '{payload.Name}'.");
        parts[third] = payload;
    }

    private static TensorPayload Reshape(TensorPayload payload, LayoutName target)
    {
        var shape = target.Form.FileShape(payload.Shape) ??
            throw new ArgumentException(
                $"'{payload.Name}' has the shape [{string.Join(", ", payload.Shape)}], which '{target.Name}' of a checkpoint cannot be "
                    + $"made of.");
        var transposed = target.Form == TensorForm.Transposed;
        return new TensorPayload(target.Name, payload.DType, shape, transposed ? stream =>
            WriteTransposed(payload, stream) : payload.Write);
    }

    private static TensorPayload Join(string name, TensorPayload?[] parts)
    {
        if (Array.IndexOf(parts, null) is var missing && missing >= 0)
            throw new ArgumentException(
                $"'{name}' of the checkpoint needs queries, keys and values together; the "
                    + $"{TensorForms.Thirds[missing].ToString().ToLowerInvariant()} are missing.");
        var (first, types) = (parts[0]!, parts.Select(part => part!.DType).Distinct().ToArray());
        if (types.Length > 1 || parts.Any(part => part!.Shape.Count == 0 || !part.Shape.SequenceEqual(first.Shape)))
            throw new ArgumentException(
                $"'{name}' of the checkpoint needs queries, keys and values of one type and shape, but they are "
                    + $"{string.Join(", ", parts.Select(part => $"{part!.DType.Name()} [{string.Join(", ", part.Shape)}]"))}.");
        return new TensorPayload(name, first.DType, TensorForm.Queries.FileShape(first.Shape)!, stream =>
        {
            foreach (var part in parts) part!.Write(stream);
        });
    }

    private static void WriteTransposed(TensorPayload payload, Stream stream)
    {
        using var memory = new MemoryStream();
        payload.Write(memory);
        var transposed = new byte[memory.Length];
        Transposition.Copy(memory.GetBuffer().AsSpan(0, transposed.Length), transposed, payload.Shape[0], payload.Shape[1],
            payload.DType.Size());
        stream.Write(transposed);
    }

    private static string Describe(KeyMap layout) => layout.Prefix.Length == 0 ? "the VAE" : $"'{layout.Prefix}...'";
}

/// <summary>Exchanges rows and columns of elements of any size.</summary>
internal static class Transposition
{
    /// <summary>Copies [rows, columns] into [columns, rows].</summary>
    public static void Copy(ReadOnlySpan<byte> from, Span<byte> to, long rows, long columns, int size)
    {
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++)
                from.Slice((int)((row * columns) + column) * size, size).CopyTo(to[((int)((column * rows) + row) * size)..]);
    }
}
