using StableTune.Hub;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Where a tokenizer comes from that is not the model's own: a folder, a repository on the hub, or a folder that keeps
/// them.</summary>
internal static class TokenizerLocation
{
    private static readonly string[] Files =
    [
        "vocab.json", "merges.txt", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    ];

    private static readonly string[] Folders = ["tokenizer", "tokenizer_2"];

    /// <summary>The folder that an option names: itself, or what the hub has under this name.</summary>
    /// <param name="name">A folder, or a name on the hub such as "openai/clip-vit-large-patch14".</param>
    /// <param name="options">The hub, the folder that keeps tokenizers, and whether anything may be downloaded.</param>
    /// <exception cref="NotDownloadedException">Downloading is not allowed now, but would be tried otherwise.</exception>
    /// <exception cref="InvalidFileException">There is no such tokenizer.</exception>
    public static string Resolve(string name, ModelLoadOptions options)
    {
        if (Directory.Exists(name)) return name;
        if (KeptPlace(name, options) is { } kept && HasFiles(kept)) return kept;
        var found = ModelLocation.FromHub(name, options, (client, hub) => Get(client, hub, options));
        if (HasFiles(found)) return Keep(found, name, options);
        throw new InvalidFileException(found, "the repository holds no tokenizer: neither vocab.json nor tokenizer.json is there.",
            "Name a repository or a folder of it that holds one, such as \"stabilityai/stable-diffusion-2/tokenizer\".");
    }

    /// <summary>The tokenizer that is built in for models without files of one; a folder that keeps tokenizers goes before it, and is
    /// given it.</summary>
    /// <param name="name">Where the published files come from.</param>
    /// <param name="options">The folder that keeps tokenizers.</param>
    /// <param name="builtIn">The tokenizer.</param>
    public static ClipTokenizer KeptOr(string name, ModelLoadOptions options, ClipTokenizer builtIn)
    {
        if (KeptPlace(name, options) is not { } place) return builtIn;
        if (!HasFiles(place)) TokenizerFolderWriter.Write(Directory.CreateDirectory(place).FullName, builtIn, source: null);
        return ClipTokenizer.FromFolder(place);
    }

    /// <summary>Where a tokenizer is kept: the name with "_" for "/", as sd-scripts has it; null without such a folder.</summary>
    private static string? KeptPlace(string name, ModelLoadOptions options) => options.TokenizerCacheFolder is { } folder
        ? Path.Combine(folder, name.Replace('/', '_').Replace(':', '_')) : null;

    private static string Keep(string found, string name, ModelLoadOptions options)
    {
        if (KeptPlace(name, options) is not { } place) return found;
        foreach (var folder in (string[])["", .. Folders])
        {
            foreach (var file in Files.Select(file => Path.Combine(folder, file)).Where(file => File.Exists(Path.Combine(found, file))))
                AtomicFile.Write(Path.Combine(place, file), stream =>
                {
                    using var source = File.OpenRead(Path.Combine(found, file));
                    source.CopyTo(stream);
                });
        }

        return place;
    }

    private static string Get(HubClient client, HubName hub, ModelLoadOptions options)
    {
        var wanted = HubSelection.Where(IsOfTokenizer);
        if (options.MayDownload || client.IsOffline) return client.Resolve(hub, wanted, options.Progress).Path;
        return client.FindInCache(hub, wanted)?.Path ?? throw new NotDownloadedException(hub.ToString());
    }

    private static bool IsOfTokenizer(string path) => path.Split('/') is var steps && Files.Contains(steps[^1])
        && (steps.Length == 1 || Folders.Contains(steps[^2]));

    private static bool HasFiles(string folder) => new[] { folder }.Concat(Folders.Select(name => Path.Combine(folder, name)))
        .Any(place => File.Exists(Path.Combine(place, "vocab.json")) || File.Exists(Path.Combine(place, "vocab.txt"))
            || File.Exists(Path.Combine(place, "tokenizer.json")));
}
