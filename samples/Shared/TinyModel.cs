using StableTune.Models;

namespace StableTune.Samples;

/// <summary>The embedded model: the real topology of SD 1.x with a few channels, random weights, and a tokenizer of 1,000
/// entries.</summary>
internal static class TinyModel
{
    public static void Unpack(string folder)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "model");
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(folder, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }

        ClipVocabulary.WriteFiles(Path.Combine(folder, "tokenizer"), mergeCount: 486);
    }
}
