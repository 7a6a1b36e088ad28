using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Options of <see cref="AdapterIntoModel"/>.</summary>
public sealed record AdapterIntoModelOptions : OptionsBase
{
    /// <summary>The type that the weights are held in while adapters are added, each addition being computed in float32: more than one
    /// adapter rounds as often. Default float32. (<c>--precision</c> of sd-scripts)</summary>
    public ScalarType Precision { get; init; } = ScalarType.Float32;

    /// <summary>How the model is read: version, prediction, variant, another VAE; types count for nothing.</summary>
    public ModelLoadOptions Reading { get; init; } = new();

    /// <summary>How the model is written. Default: in the type of <see cref="Precision"/>, in the form of the path or the source, and
    /// nothing is overwritten.</summary>
    public ModelSaveOptions Saving { get; init; } = new();

    /// <summary>The kinds of adapters that files may hold; null for <see cref="AdapterFormats.Default"/>.</summary>
    public AdapterFormats? Formats { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in (Reading with { WeightType = Precision }).Validate().Concat(Saving.Validate())) yield return problem;
    }
}

/// <summary>Merges adapters of any kind into the weights of a model file. See <c>docs/adapter-tools.md</c>.</summary>
public static class AdapterIntoModel
{
    /// <summary>Loads the model, adds the adapters, and writes the result.</summary>
    /// <param name="model">The model: a file, a folder, or a name on the hub.</param>
    /// <param name="adapters">The adapters and their ratios, in the order in which they are added.</param>
    /// <param name="output">The file or folder to write.</param>
    /// <param name="options">Types, how to read and to write; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at every few megabytes, and before each adapter; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the output is taken.</exception>
    /// <exception cref="InvalidFileException">The model or an adapter cannot be read, or an adapter does not fit the model.</exception>
    /// <exception cref="IOException">Something cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedModel Merge(
        string model, IReadOnlyList<WeightedAdapter> adapters, string output, AdapterIntoModelOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(adapters);
        ArgumentNullException.ThrowIfNull(output);
        options ??= new AdapterIntoModelOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(ToolModelPaths.InputProblems([model]))
            .Concat(ToolPaths.InputProblems(adapters)).Concat(BlockProblems(adapters))
            .Concat(ToolModelPaths.OutputProblems(output, [model, .. adapters.Select(adapter => adapter.Path)])));
        InvalidOptionsException.ThrowIfAny(ModelSaver.Check(output, options.Saving));
        using var loaded = ModelLoader.Load(model, options.Reading with
        {
            WeightType = options.Precision, UNetType = null, TextEncoderType = null, VaeType = null, KeepStoredTypes = false,
            Parts = ModelParts.All, Progress = options.Reading.Progress ?? options.Saving.Progress,
        }, cancellationToken);
        var hosts = ModelHosts.Of(loaded);
        foreach (var adapter in adapters)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var network = AdapterNetwork.FromFile(adapter.Path, hosts, (float)adapter.Ratio, options.Formats);
            network.Merge();
        }

        var saving = options.Saving with { MergedFrom = options.Saving.MergedFrom ?? MergedFrom(model, adapters) };
        return ModelSaver.Save(loaded, output, saving, cancellationToken);
    }

    private static IEnumerable<OptionProblem> BlockProblems(IReadOnlyList<WeightedAdapter> adapters) =>
        adapters.Where(adapter => adapter.BlockWeights is not null).Take(1).Select(adapter => new OptionProblem(
            "WeightedAdapter.BlockWeights", adapter.Path, "merging into a model has no weights by block",
            "merge the adapters by SvdMerger first, or leave them out"));

    private static string MergedFrom(string model, IReadOnlyList<WeightedAdapter> adapters) =>
        ToolMetadata.MergedFrom(adapters.Select(adapter => adapter.Path).Prepend(model).Select(Metadata));

    /// <summary>A file's texts; none of folders, and of names on the hub.</summary>
    private static (string Path, IReadOnlyDictionary<string, string> Metadata) Metadata(string path)
    {
        if (!File.Exists(path)) return (Path.TrimEndingDirectorySeparator(path), new Dictionary<string, string>());
        using var file = TensorFile.Open(path);
        return (path, file.Metadata.ToDictionary(StringComparer.Ordinal));
    }
}
