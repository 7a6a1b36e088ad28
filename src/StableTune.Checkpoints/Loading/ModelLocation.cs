using StableTune.Hub;

namespace StableTune.Checkpoints;

/// <summary>Turns the names that users give models into files and folders on this disk: paths, and names on the hub.</summary>
internal static class ModelLocation
{
    /// <summary>The file or folder that a name stands for. What exists here counts first; a name on the hub is taken from its cache, or
    /// downloaded into it.</summary>
    /// <param name="name">A path (links are followed) or a name on the hub, see <see cref="HubName"/>.</param>
    /// <param name="options">Hub, revision, variant, and whether anything may be downloaded.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <exception cref="NotDownloadedException">Downloading is not allowed now, but would be tried otherwise.</exception>
    /// <exception cref="InvalidFileException">There is neither such a file or folder nor such a model on the hub; the message says
    /// both.</exception>
    /// <exception cref="InvalidOptionsException">The hub's options, or variables of the environment, cannot work.</exception>
    public static string Resolve(string name, ModelLoadOptions options, CancellationToken cancellationToken = default) =>
        Here(name) ? name : FromHub(name, NameOf(name, options), options, (client, hub) => Get(client, hub, options, cancellationToken));

    /// <summary>As <see cref="Resolve"/>, but of a model on the hub only its VAE is fetched.</summary>
    public static string ResolveVae(string name, ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        if (Here(name)) return name;
        return FromHub(name, NameOf(name, options), options, (client, hub) =>
        {
            // The repository may be a VAE, or a model with one in its folder.
            if (client.FindInCache(hub) is { } whole) return whole.Path;
            if (hub.Path is not null) return Get(client, hub, options, cancellationToken);
            try
            {
                return Get(client, HubName.Parse($"{hub.Repository}/{ModelPart.Vae}").At(hub.Revision), options, cancellationToken);
            }
            catch (HubException e) when (e.Fault is HubFault.NotFound or HubFault.NothingToSelect or HubFault.Offline)
            {
                return Get(client, hub, options, cancellationToken);
            }
        });
    }

    private static bool Here(string name) => File.Exists(name) || Directory.Exists(name);

    private static HubName NameOf(string name, ModelLoadOptions options)
    {
        if (name.Length > 0 && HubName.LooksLikePath(name))
            throw new InvalidFileException(
                name, "there is no such file or folder.",
                $"{Near(name)}Fix the path, which is relative to the current folder unless it is absolute; names on the hub are "
                    + $"owner/name.");
        if (!HubName.TryParse(KnownModel.Find(name)?.Address ?? name, out var hub, out var problem))
            throw new InvalidFileException(
                name, $"there is no file or folder of this name, and it is no name on the hub: {problem}.",
                    $"{Near(name)}Fix the path, or give a name on the hub such as owner/name.");
        return hub.Revision is null ? hub.At(options.Revision) : hub;
    }

    /// <summary>Asks for what the folder has instead that a path leads into; empty where it has nothing like it.</summary>
    private static string Near(string path)
    {
        try
        {
            if (Path.GetDirectoryName(path.TrimEnd('/')) is not { } folder || !Directory.Exists(folder.Length == 0 ? "." : folder))
                return "";
            string[] entries = [.. Directory.EnumerateFileSystemEntries(folder.Length == 0 ? "." : folder).Take(10_000)
                .Select(entry => Path.GetFileName(entry))];
            return NearName.Of(Path.GetFileName(path.TrimEnd('/')), entries) is { } near ? $"Did you mean {Path.Combine(folder, near)}? "
                : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "";   // a help for spelling; that there is no such file is what matters, and is told
        }
    }

    /// <summary>What is fetched of a name on the hub.</summary>
    /// <exception cref="InvalidFileException">It is no name on the hub, or the hub has no such repository.</exception>
    internal static string FromHub(string name, ModelLoadOptions options, Func<HubClient, HubName, string> get) =>
        FromHub(name, NameOf(name, options with { Revision = null }), options, get);

    private static string FromHub(string name, HubName hub, ModelLoadOptions options, Func<HubClient, HubName, string> get)
    {
        using var client = new HubClient(options.Hub, options.Logger);
        try
        {
            return get(client, hub);
        }
        catch (HubException e)
        {
            // Whether the hub has it is not known: a path with a slip is as likely.
            if (e.Fault == HubFault.Unreachable)
                throw new InvalidFileException(
                    name, $"there is no file or folder of this name, and the hub cannot be asked for it: {e.Reason}",
                        $"{Near(name)}If a path is meant, fix it. Otherwise: {e.Remedy}", e);
            throw new InvalidFileException(
                name, $"there is no file or folder of this name, and the hub has no such model to give: {e.Name}: {e.Reason}",
                    Near(name) + e.Remedy, e);
        }
    }

    private static string Get(HubClient client, HubName hub, ModelLoadOptions options, CancellationToken cancellationToken)
    {
        var files = HubSelection.Model(options.Variant);
        // Offline the client itself says what the cache lacks.
        if (options.MayDownload || client.IsOffline) return client.Resolve(hub, files, options.Progress, cancellationToken).Path;
        return client.FindInCache(hub, files)?.Path ?? throw new NotDownloadedException(hub.ToString());
    }
}

/// <summary>A model on the hub is not in the cache, and nothing may be downloaded now: what is wrong with it cannot be known yet.</summary>
/// <param name="name">The name on the hub.</param>
internal sealed class NotDownloadedException(string name)
    : InvalidFileException(name, "the model is not in the hub's cache yet.", "It is downloaded when it is loaded.");
