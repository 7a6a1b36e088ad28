using System.Text.Json;

namespace StableTune.Torch.Loading;

/// <summary>The packages that a program was built with, as its <c>.deps.json</c> lists them.</summary>
internal static class BuildPackages
{
    /// <summary>The names of this program's packages; empty when it has no list that can be read.</summary>
    internal static IReadOnlyCollection<string> OfProcess()
    {
        var lists = (AppContext.GetData("APP_CONTEXT_DEPS_FILES") as string ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries);
        return [.. lists.Where(File.Exists).SelectMany(NamesIn)];
    }

    /// <summary>The names in one list; empty when it cannot be read.</summary>
    internal static IReadOnlyCollection<string> NamesIn(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            using var list = JsonDocument.Parse(stream);
            return list.RootElement.TryGetProperty("libraries", out var libraries)
                ? [.. libraries.EnumerateObject().Select(library => library.Name.Split('/')[0])]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return [];
        }
    }
}
