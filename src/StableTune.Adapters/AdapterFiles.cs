namespace StableTune.Adapters;

/// <summary>The formats of adapter files, by the ends of their names.</summary>
public static class AdapterFiles
{
    /// <summary>The extensions that adapters can be saved with; the first is the usual one.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".safetensors", ".pt", ".pth", ".bin", ".ckpt"];

    /// <summary>Whether adapters are saved at the path as a torch file.</summary>
    /// <param name="path">The file.</param>
    public static bool IsTorch(string path) => Extensions.Skip(1).Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
