using StableTune.Adapters;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes adapters as sd-scripts does: names, types and metadata, so that web interfaces and pipelines load the file as it is. The file of
/// the end has the given path; those of epochs and steps lie beside it, numbered.
/// </summary>
/// <param name="path">A .safetensors file, or a .pt file, which has no place for metadata.</param>
public sealed class AdapterSaver(string path) : ISaver
{
    /// <summary>Where the last file goes.</summary>
    public string Path => path;

    /// <summary>The type of the saved numbers; null follows the compute precision.</summary>
    public ScalarType? Precision { get; init; }

    /// <summary>Whether the run is described in the file's metadata; false writes only what readers need (sd-scripts: <c>no_metadata</c>).</summary>
    public bool WriteMetadata { get; init; } = true;

    /// <summary>Whether names of folders and tags of captions are written to the metadata. Default true, as in sd-scripts.</summary>
    public bool WriteDataNames { get; init; } = true;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AdapterFiles.Extensions.Contains(System.IO.Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            yield return Problem("adapters are written as safetensors or torch files", "end the path with .safetensors, or with .pt");
        else if (!AtomicFile.CanWrite(path, out var reason))
            yield return Problem(reason, "name a file in a folder that can be written to");
        if (Precision is not (null or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16))
            yield return new OptionProblem($"{nameof(AdapterSaver)}.{nameof(Precision)}", Precision, "adapters are saved as float32, float16 or bfloat16", "leave it unset to follow the run");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        if (moment.Targets.OfType<AdapterTarget>().FirstOrDefault() is not { } target) return [];
        var file = OutputNames.For(path, moment);
        var metadata = RunMetadata.Describe(moment, target.Options, System.IO.Path.GetFileNameWithoutExtension(path), WriteDataNames);
        target.Network.Save(file, WriteMetadata ? metadata.Full : metadata.Minimum, Precision ?? moment.Plan.Precision.Compute);
        return [file];
    }

    private OptionProblem Problem(string rule, string remedy) => new($"{nameof(AdapterSaver)}.{nameof(Path)}", path, rule, remedy);
}
