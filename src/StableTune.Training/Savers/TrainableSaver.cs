using StableTune.Formats;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes each trainable's customary file: adapters as sd-scripts does, so that web interfaces and pipelines load them as they are; whole
/// models in the form that the path names. The
/// file of the end has the given path; those of epochs and steps lie beside it, numbered.
/// </summary>
/// <param name="path">
/// A file or folder. <c>{name}</c> in it stands for the trainable's name, and is needed where several are trained:
/// "out/{name}.safetensors".
/// </param>
public sealed class TrainableSaver(string path) : ISaver
{
    private const string Placeholder = "{name}";

    /// <summary>Where the last file goes.</summary>
    public string Path => path;

    /// <summary>The type of the saved numbers; null follows the compute precision.</summary>
    public ScalarType? Precision { get; init; }

    /// <summary>Whether the run is described in the file's metadata; false writes only what readers need (sd-scripts:
    /// <c>no_metadata</c>).</summary>
    public bool WriteMetadata { get; init; } = true;

    /// <summary>Whether names of folders and tags of captions are written to the metadata. Default true, as in sd-scripts.</summary>
    public bool WriteDataNames { get; init; } = true;

    private static string Option => $"{nameof(TrainableSaver)}.{nameof(Path)}";

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (Precision is not (null or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16))
            yield return new OptionProblem(
                $"{nameof(TrainableSaver)}.{nameof(Precision)}", Precision, "results are saved as float32, float16 or bfloat16",
                "leave it unset to follow the run");
    }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        TrainableOptions[] trained = [.. plan.Trainables.Where(trainable => trainable.Trained)];
        if (trained.Length > 1 && !path.Contains(Placeholder, StringComparison.Ordinal))
        {
            var names = string.Join(", ", trained.Select(trainable => trainable.EffectiveName));
            yield return new OptionProblem(
                Option, path, $"{trained.Length} things are trained ({names}), and one file cannot hold them",
                $"put {Placeholder} into the path, as in out/{Placeholder}.safetensors");
            yield break;
        }

        foreach (var trainable in trained)
        {
            var (file, endings) = (For(trainable), trainable.FileExtensions);
            if (endings.Count > 0 && !endings.Contains(System.IO.Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
                yield return new OptionProblem(
                    Option, path, $"{trainable.EffectiveName} is written as safetensors or torch files",
                    $"end the path with {string.Join(", or ", endings.Take(2))}");
            // A folder that is there already is replaced, or refused, by whoever writes into it.
            else if (!(endings.Count == 0 && Directory.Exists(file)) && !AtomicFile.CanWrite(file, out var reason))
                yield return new OptionProblem(Option, path, reason, "name a file in a folder that can be written to");
        }
    }

    /// <inheritdoc/>
    public IEnumerable<SaverOutput> Outputs(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        string?[] variants = plan.Ema is { SaveBoth: true } ? [null, SaveMoment.Average] : [null];
        return plan.Trainables.Where(trainable => trainable.Trained)
            .SelectMany(trainable => variants.Select(variant =>
                new SaverOutput(Option, string.IsNullOrWhiteSpace(path) ? path : OutputNames.OfVariant(For(trainable), variant))))
            .Where(output => !string.IsNullOrWhiteSpace(output.Path)).Distinct();
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        string[] files = [.. Trained(moment).SelectMany(trainable => trainable.Instance.Save(Request(trainable.Options, moment)))];
        RemoveOutdated(moment);
        return files;
    }

    /// <inheritdoc/>
    public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies)
    {
        ArgumentNullException.ThrowIfNull(moment);
        var writes = new List<Func<IReadOnlyList<string>>>();
        foreach (var trainable in Trained(moment))
        {
            if (trainable.Instance.Prepare(Request(trainable.Options, moment), copies) is not { } write) return null;
            writes.Add(write);
        }

        return () =>
        {
            string[] files = [.. writes.SelectMany(write => write())];
            RemoveOutdated(moment);
            return files;
        };
    }

    private static IEnumerable<AttachedTrainable> Trained(SaveMoment moment) =>
        moment.Trainables.Where(trainable => trainable.Options.Trained);

    private SaveRequest Request(TrainableOptions trainable, SaveMoment moment) => new()
    {
        Path = OutputNames.For(For(trainable), moment), FinalPath = For(trainable),
        Type = Precision, WriteMetadata = WriteMetadata, WriteDataNames = WriteDataNames, Moment = moment,
    };

    /// <summary>Called only after the new ones are complete.</summary>
    private void RemoveOutdated(SaveMoment moment)
    {
        var save = moment.Plan.Save;
        foreach (var trainable in Trained(moment))
            foreach (var old in OutputNames.Outdated(For(trainable.Options), moment, save.KeepLastEpochs, save.KeepLastSteps))
                Remove(old, isModel: trainable.Options is ModelTrainableOptions);
    }

    private static void Remove(string path, bool isModel)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        File.Delete(path);
        // The description that single files of some models have beside them.
        if (isModel && System.IO.Path.GetExtension(path).Length > 0) File.Delete(System.IO.Path.ChangeExtension(path, ".yaml"));
        // A file of its own folder leaves that empty.
        if (System.IO.Path.GetDirectoryName(path) is { } folder && System.IO.Path.GetFileName(folder).StartsWith("checkpoint-",
            StringComparison.Ordinal) && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
            Directory.Delete(folder);
    }

    private string For(TrainableOptions trainable) => path.Replace(Placeholder, trainable.EffectiveName, StringComparison.Ordinal);
}
