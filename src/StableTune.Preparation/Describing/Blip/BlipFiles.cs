using StableTune.Formats;
using StableTune.Hub;

namespace StableTune.Preparation;

/// <summary>Where a BLIP model lies.</summary>
/// <param name="Weights">The file of weights, or the index of several.</param>
/// <param name="Folder">The hub's folder that it is in, with configuration and vocabulary; null for a single file.</param>
internal sealed record BlipFiles(string Weights, string? Folder)
{
    private const string Usual = "google-bert/bert-base-uncased", Configuration = "config.json", Vocabulary = "vocab.txt";

    private const string Remedy = "Name a folder such as that of Salesforce/blip-image-captioning-base, or a file such as "
        + "model_large_caption.pth.";

    /// <summary>Weights that a folder may hold, the best first.</summary>
    private static readonly string[] s_weights =
        ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

    private static readonly HashSet<string> s_beside =
    [
        Configuration, "preprocessor_config.json", Vocabulary, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "model.safetensors",
    ];

    /// <summary>Finds a model.</summary>
    /// <param name="name">A file, a folder, or a name on the hub.</param>
    /// <param name="hub">How the hub is reached.</param>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <exception cref="InvalidFileException">There is no such model.</exception>
    internal static BlipFiles Find(string name, HubOptions? hub, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(name)) return OfFolder(name);
        if (File.Exists(name))
            return Path.GetDirectoryName(Path.GetFullPath(name)) is { } folder && File.Exists(Path.Combine(folder, Configuration))
                && IsOfHub(name) ? new(name, folder) : new(name, null);
        using var client = new HubClient(hub);
        var found = FromHub(client, name, s_beside.Contains, progress, cancellationToken);
        if (s_weights.Any(file => File.Exists(Path.Combine(found, file)))) return OfFolder(found);
        return OfFolder(FromHub(client, name, path => path == s_weights[2], progress, cancellationToken));
    }

    /// <summary>The vocabulary of a single file.</summary>
    /// <param name="named">A file, a folder or a name on the hub; null for what is beside the weights, or bert-base-uncased's.</param>
    /// <param name="hub">How the hub is reached.</param>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <returns>A folder that holds <c>vocab.txt</c>.</returns>
    internal string VocabularyFolder(
        string? named, HubOptions? hub, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        if (named is null && Path.GetDirectoryName(Path.GetFullPath(Weights)) is { } beside
            && File.Exists(Path.Combine(beside, Vocabulary))) return beside;
        if (Directory.Exists(named)) return named;
        if (File.Exists(named))
            return Path.GetFileName(named) == Vocabulary ? Path.GetDirectoryName(Path.GetFullPath(named))!
                : throw new InvalidFileException(
                    named, "this is not a vocab.txt.", "Name the vocab.txt of bert-base-uncased, or its folder.");
        using var client = new HubClient(hub);
        return FromHub(client, named ?? Usual, path => path == Vocabulary, progress, cancellationToken);
    }

    private static BlipFiles OfFolder(string folder)
    {
        if (!File.Exists(Path.Combine(folder, Configuration)))
            throw new InvalidFileException(folder, "this folder has no config.json, so it is no BLIP model of the hub.", Remedy);
        var weights = s_weights.Select(file => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        return weights is null ? throw new InvalidFileException(
            folder, $"this folder holds no weights: none of {string.Join(", ", s_weights)} is there.", Remedy) : new(weights, folder);
    }

    /// <summary>Whether names of weights are those of the hub's folders.</summary>
    private static bool IsOfHub(string path)
    {
        using var file = TensorFile.Open(path);
        return file.TryGet(BlipNames.Positions, out _);
    }

    private static string FromHub(HubClient client, string name, Func<string, bool> wanted, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (HubName.LooksLikePath(name)) throw new InvalidFileException(name, "there is no such file or folder.", Remedy);
        if (!HubName.TryParse(name, out var hub, out var problem))
            throw new InvalidFileException(
                name, $"there is no file or folder of this name, and it is no name on the hub: {problem}.", Remedy);
        try
        {
            return client.Resolve(hub, HubSelection.Where(wanted), progress, cancellationToken).Path;
        }
        catch (HubException e)
        {
            throw new InvalidFileException(
                name, $"there is no file or folder of this name, and the hub does not give it: {e.Reason}", e.Remedy, e);
        }
    }
}
