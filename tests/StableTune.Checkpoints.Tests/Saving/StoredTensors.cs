using System.Security.Cryptography;
using StableTune.Formats;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>What a weights file holds, for comparison: type, shape and sha256 of each tensor.</summary>
internal static class StoredTensors
{
    /// <summary>"F16 [3, 4] 0123..." by name, sorted by name.</summary>
    public static IReadOnlyList<(string Name, string Content)> Of(string path, Func<string, string?>? rename = null)
    {
        using var file = TensorFile.Open(path);
        return [.. file.Tensors.Select(info => (Name: rename is null ? info.Name : rename(info.Name), Content: Content(file, info)))
            .Where(entry => entry.Name is not null).Select(entry => (entry.Name!, entry.Content))
                .OrderBy(entry => entry.Item1, StringComparer.Ordinal)];
    }

    private static string Content(ITensorFile file, TensorInfo info)
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return $"{info} {Convert.ToHexStringLower(SHA256.HashData(bytes))}";
    }
}
