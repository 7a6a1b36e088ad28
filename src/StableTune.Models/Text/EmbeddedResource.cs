using System.IO.Compression;

namespace StableTune.Models;

/// <summary>Text files inside this assembly; names ending in ".br" are decompressed.</summary>
internal static class EmbeddedResource
{
    /// <summary>The lines of a resource.</summary>
    public static string[] ReadLines(string name)
    {
        var stream = typeof(EmbeddedResource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException(
                $"The assembly {typeof(EmbeddedResource).Assembly.GetName().Name} lacks its resource {name}: it was not built from its project file.");
        using Stream plain = name.EndsWith(".br", StringComparison.Ordinal) ? new BrotliStream(stream, CompressionMode.Decompress) : stream;
        using var reader = new StreamReader(plain);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
