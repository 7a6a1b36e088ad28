using StableTune.Models;

namespace StableTune.FullSize;

/// <summary>The tests' tiny model as a folder of its own, with the tokenizer that the fixture leaves out.</summary>
internal static class TinyModel
{
    private const int Merges = 486;

    public static void Write(string folder)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "model");
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(folder, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }

        ClipVocabulary.WriteFiles(Path.Combine(folder, "tokenizer"), Merges);
    }
}
