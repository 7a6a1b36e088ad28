using StableTune.Hub;

namespace StableTune.Preparation;

/// <summary>A model and the files beside it, on this disk or on the hub.</summary>
internal sealed class OnnxModelFiles
{
    private readonly HubOptions _hub;
    private readonly HubName? _name;
    private readonly IProgress<WorkProgress>? _progress;
    private readonly CancellationToken _cancellationToken;

    private OnnxModelFiles(string model, HubName? name, OnnxModelOptions options, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        (Model, _name, _hub, _progress, _cancellationToken) = (model, name, options.Hub, progress, cancellationToken);
    }

    /// <summary>The ONNX file.</summary>
    internal string Model { get; }

    /// <summary>Finds a model, and downloads it where it is missing.</summary>
    /// <exception cref="InvalidFileException">There is no such file or folder, or the folder holds no model or several.</exception>
    /// <exception cref="HubException">The hub has no such model, or was not reached.</exception>
    internal static OnnxModelFiles Find(OnnxModelOptions options, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var model = options.Model!;
        if (File.Exists(model)) return Of(model, null);
        if (Directory.Exists(model)) return Of(InFolder(model, options.UsualFile), null);
        if (HubName.LooksLikePath(model) || !HubName.TryParse(model, out var name, out _))
            throw new InvalidFileException(model, "there is no such file or folder.",
                "Name an ONNX file, the folder that holds it, or a repository on the hub (owner/name).");
        var file = name.Path is null ? Beside(name, options.UsualFile) : name;
        using var hub = new HubClient(options.Hub);
        return Of(hub.Resolve(file, null, progress, cancellationToken).Path, file);

        OnnxModelFiles Of(string path, HubName? place) => new(path, place, options, progress, cancellationToken);
    }

    /// <summary>A file that lies beside the model; null where there is none. On the hub it is asked for.</summary>
    /// <param name="file">The file's name, or its path from the model's folder on.</param>
    /// <param name="optional">Whether a file that the cache alone does not have may be missing.</param>
    /// <exception cref="InvalidFileException">No file of the hub can have this name.</exception>
    internal string? Companion(string file, bool optional = false)
    {
        if (_name is null)
            return Path.Combine(Path.GetDirectoryName(Path.GetFullPath(Model))!, file) is var path && File.Exists(path) ? path : null;
        try
        {
            using var hub = new HubClient(_hub);
            return hub.Resolve(Beside(_name, file), null, _progress, _cancellationToken).Path;
        }
        catch (FormatException e)
        {
            throw new InvalidFileException(Model, $"it names a file beside it that the hub cannot have: {e.Message}",
                "Download the model with all its files, and name it on this disk, or take another export.", e);
        }
        catch (HubException e) when (e.Fault == HubFault.NotFound || (optional && e.Fault == HubFault.Offline))
        {
            return null;
        }
    }

    /// <summary>Another file of a name's folder, at its revision.</summary>
    private static HubName Beside(HubName name, string file)
    {
        while (file.StartsWith("./", StringComparison.Ordinal)) file = file[2..];
        var folder = name.Path is { } path && path.LastIndexOf('/') is > 0 and var cut ? path[..(cut + 1)] : "";
        return name.WithPath(folder + file);
    }

    private static string InFolder(string folder, string usual)
    {
        var expected = Path.Combine(folder, usual);
        if (File.Exists(expected)) return expected;
        var found = Directory.GetFiles(folder, "*.onnx").Order(StringComparer.Ordinal).ToList();
        if (found.Count == 1) return found[0];
        throw new InvalidFileException(folder, found.Count == 0 ? "the folder holds no ONNX model (.onnx)."
            : $"the folder holds several models: {string.Join(", ", found.Take(4).Select(Path.GetFileName))}.", "Name the file itself.");
    }
}
