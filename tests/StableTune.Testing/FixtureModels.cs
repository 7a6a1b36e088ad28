using StableTune.Models;

namespace StableTune.Testing;

/// <summary>The tiny models of the fixtures as complete model folders.</summary>
public static class FixtureModels
{
    /// <summary>Merges of the tiny models' tokenizers, which have 1000 tokens.</summary>
    public const int TinyMergeCount = 486;

    /// <summary>A copy of tiny-sd15 with its tokenizer's vocabulary, which the fixtures leave out. Returns the model folder.</summary>
    public static string TinySd15(TemporaryFolder folder) => Complete(folder, "tiny-sd15", "tiny-sd15");

    /// <summary>The same of tiny-sd21-v: SD 2.x with v prediction.</summary>
    public static string TinySd21V(TemporaryFolder folder) => Complete(folder, "tiny-sd21-v", "tiny-sd21-v");

    /// <summary>The same of tiny-sd21-base: the weights of tiny-sd21-v with configurations for epsilon prediction.</summary>
    public static string TinySd21Base(TemporaryFolder folder) => Complete(folder, "tiny-sd21-base", "tiny-sd21-v", "tiny-sd21-base");

    /// <summary>The same of tiny-sdxl, with both tokenizers.</summary>
    public static string TinySdxl(TemporaryFolder folder) => Complete(folder, "tiny-sdxl", "tiny-sdxl");

    // The files of the layers lie on top of each other, the last one uppermost.
    private static string Complete(TemporaryFolder folder, string name, params string[] layers)
    {
        var target = folder.Folder(name);
        foreach (var source in layers.Select(layer => Fixtures.Path("models", layer)))
        {
            foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
            {
                var copy = Path.Combine(target, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy, overwrite: true);
            }
        }

        foreach (var tokenizer in Directory.EnumerateDirectories(target, "tokenizer*")) ClipVocabulary.WriteFiles(tokenizer, TinyMergeCount);
        return target;
    }
}
