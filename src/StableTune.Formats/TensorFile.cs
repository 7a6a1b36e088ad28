namespace StableTune.Formats;

/// <summary>Opens weights files of any format, told by their content.</summary>
public static class TensorFile
{
    /// <summary>Opens the file and checks its header: safetensors, what torch.save wrote, Paddle's weights, or the index of several.
    /// Reads no tensor.</summary>
    /// <param name="path">The file, whose ending is of no meaning, or the index of several (<c>...index.json</c>).</param>
    /// <exception cref="InvalidFileException">The file is missing, of no format that is known, truncated, or its header is
    /// wrong.</exception>
    public static ITensorFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.EndsWith(ShardedTensorFile.IndexExtension, StringComparison.OrdinalIgnoreCase)) return ShardedTensorFile.Open(path);
        Span<byte> start = stackalloc byte[FileKind.BytesNeeded];
        using (var file = FileBytes.Open(path)) start = start[..FileBytes.ReadUpTo(file.SafeFileHandle, start, 0)];
        if (FileKind.IsSafetensors(start)) return SafetensorsFile.Open(path);
        if (TorchFile.IsTorch(start)) return TorchFile.Open(path);
        // which says what it is, if anything known
        return TorchFile.IsPickle(start) ? PaddleFile.Open(path) : SafetensorsFile.Open(path);
    }

    /// <summary>What to say when a name is asked for that the file lacks.</summary>
    internal static InvalidFileException NoSuchTensor(ITensorFile file, string name)
    {
        var tail = name[(name.LastIndexOf('.', Math.Max(0, name.LastIndexOf('.') - 1)) + 1)..];
        var near = file.Tensors.Where(t => t.Name.EndsWith(tail, StringComparison.Ordinal)).Concat(file.Tensors).DistinctBy(t => t.Name)
            .Take(3).Select(t => $"'{t.Name}'").ToList();
        return new InvalidFileException(file.Path, $"there is no tensor '{name}' among its {file.Tensors.Count}.",
            near.Count == 0 ? "The file holds no tensors at all."
                : $"It holds for instance {string.Join(", ", near)}: check the name, or whether this is the right file.");
    }
}
