using System.Globalization;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>
/// What a single file holds beyond the parts of a model: buffers of the noise schedule, layers that are not used, marks; its metadata and
/// counters. Written to the next single file, and in a model folder to a file of its own, which other programs pass over.
/// </summary>
internal sealed class CarriedTensors : IDisposable
{
    /// <summary>The file in a model folder.</summary>
    public const string FileName = "single_file_extra.safetensors";

    private readonly ITensorFile? _file;
    private readonly IDisposable? _owner;

    private CarriedTensors(ITensorFile? file, IReadOnlyList<TensorInfo> tensors, IDisposable? owner)
    {
        (_file, Tensors, _owner) = (file, tensors, owner);
        if (file is null) return;
        Metadata = file is TorchFile ? Metadata : file.Metadata;
        Epochs = file is TorchFile torch ? torch.Epoch ?? 0 : Counter("epoch");
        Steps = file is TorchFile checkpoint ? checkpoint.GlobalStep ?? 0 : Counter("global_step");
    }

    /// <summary>Nothing.</summary>
    public static CarriedTensors None { get; } = new(null, [], null);

    /// <summary>The tensors.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The metadata of a safetensors file.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <summary>Epochs that a torch checkpoint counts; 0 without.</summary>
    public long Epochs { get; }

    /// <summary>Optimizer steps that a torch checkpoint counts; 0 without.</summary>
    public long Steps { get; }

    /// <summary>What the source of a model holds.</summary>
    /// <param name="source">A single file or a model folder.</param>
    /// <param name="known">The architecture, so that it need not be found out again.</param>
    /// <exception cref="InvalidFileException">The source cannot be read.</exception>
    public static CarriedTensors Of(string source, SingleFileOptions known)
    {
        if (File.Exists(source))
        {
            var checkpoint = SingleFileCheckpoint.Open(source, known);
            return new CarriedTensors(checkpoint.File, checkpoint.Carried, checkpoint);
        }

        if (Path.Combine(source, FileName) is var path && !File.Exists(path)) return None;
        var file = SafetensorsFile.Open(path);
        return new CarriedTensors(file, file.Tensors, file);
    }

    /// <summary>One of the tensors as it is written.</summary>
    /// <param name="info">One of <see cref="Tensors"/>.</param>
    /// <param name="type">The type of floating-point numbers; null for the stored one.</param>
    public TensorPayload Payload(TensorInfo info, ScalarType? type) => StatePayloads.Of(_file!, info, type);

    /// <summary>The file of a model folder.</summary>
    /// <param name="metadata">Texts for its header.</param>
    /// <param name="progress">Counts the tensors.</param>
    /// <returns>Writes it; null when there is nothing to write.</returns>
    public Action<string>? Writer(IReadOnlyDictionary<string, string> metadata, SaveProgress progress)
    {
        var texts = new Dictionary<string, string>(metadata, StringComparer.Ordinal);
        if (Epochs > 0) texts["epoch"] = Epochs.ToString(CultureInfo.InvariantCulture);
        if (Steps > 0) texts["global_step"] = Steps.ToString(CultureInfo.InvariantCulture);
        if (Tensors.Count == 0 && texts.Keys.All(key => key == "format")) return null;
        var tensors = progress.Over(Tensors.Select(info => Payload(info, null)));
        return folder => SafetensorsWriter.Write(Path.Combine(folder, FileName), tensors, texts);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _owner?.Dispose();

    private long Counter(string key) =>
        Metadata.TryGetValue(key, out var text)
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;
}
