using System.IO.Compression;

namespace StableTune.Models;

/// <summary>Text files inside an assembly; names ending in ".br" are decompressed.</summary>
internal static class EmbeddedResource
{
    /// <summary>The lines of a resource.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="assembly">The assembly that holds it; null for this one.</param>
    public static string[] ReadLines(string name, System.Reflection.Assembly? assembly = null)
    {
        assembly ??= typeof(EmbeddedResource).Assembly;
        var stream = assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException(
                $"The assembly {assembly.GetName().Name} lacks its resource {name}: it was not built from its project file.");
        using Stream plain = name.EndsWith(".br", StringComparison.Ordinal) ? new BrotliStream(stream, CompressionMode.Decompress) : stream;
        using var reader = new StreamReader(plain);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
