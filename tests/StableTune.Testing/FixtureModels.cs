using StableTune.Models;

namespace StableTune.Testing;

/// <summary>The tiny models of the fixtures as complete model folders.</summary>
public static class FixtureModels
{
    /// <summary>Merges of the tiny models' tokenizers, which have 1000 tokens.</summary>
    public const int TinyMergeCount = 486;

    /// <summary>A copy of tiny-sd15 with its tokenizer's vocabulary, which the fixtures leave out. Returns the model folder.</summary>
    public static string TinySd15(TemporaryFolder folder) => Complete("tiny-sd15", folder);

    private static string Complete(string name, TemporaryFolder folder)
    {
        var source = Fixtures.Path("models", name);
        var target = folder.Folder(name);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        ClipVocabulary.WriteFiles(Path.Combine(target, "tokenizer"), TinyMergeCount);
        return target;
    }
}
