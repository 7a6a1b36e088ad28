using StableTune.Adapters;
using StableTune.Formats;

namespace StableTune.Training;

/// <summary>
/// What an adapter file says about itself: the <c>ss_*</c> entries of sd-scripts, which other programs read, and the
/// <c>modelspec.*</c> entries. Values are written as Python writes them. The hashes (<c>sshs_*</c>) are added when the file is
/// saved.
/// </summary>
internal sealed record AdapterMetadata
{
    /// <summary>Kind, rank, alpha: <see cref="AdapterOptions.Describe"/>.</summary>
    public required AdapterDescription Network { get; init; }

    /// <summary>The model trained on.</summary>
    public required ModelFacts Model { get; init; }

    /// <summary>When, how long, on how much.</summary>
    public RunFacts Run { get; init; } = new();

    /// <summary>Learning rates, optimizer, gradients.</summary>
    public RateFacts Rates { get; init; } = new();

    /// <summary>Number types and memory.</summary>
    public PrecisionFacts Precision { get; init; } = new();

    /// <summary>Noise and loss.</summary>
    public LossFacts Loss { get; init; } = new();

    /// <summary>Captions and validation.</summary>
    public CaptionFacts Captions { get; init; } = new();

    /// <summary>The images of the run together.</summary>
    public DataFacts Data { get; init; } = new();

    /// <summary>The data sets of the run with their subsets (<c>ss_datasets</c>); empty leaves them out.</summary>
    public IReadOnlyList<DatasetFacts> Datasets { get; init; } = [];

    /// <summary>The model specification; null leaves it out.</summary>
    public ModelSpecification? Specification { get; init; }

    /// <summary>Whether the names of folders and the words of captions are written. Default true, as in sd-scripts; false keeps
    /// them private.</summary>
    public bool IncludeDataNames { get; init; } = true;

    /// <summary>All entries.</summary>
    /// <exception cref="ArgumentException">There is a model specification and the base model version is unknown.</exception>
    public IReadOnlyDictionary<string, string> Build() => Texts(
    [
        .. Run.Rows(), .. Rates.Rows(), .. Network.Rows(), .. Model.Rows(), .. Precision.Rows(), .. Loss.Rows(), .. Captions.Rows(),
        .. Data.Rows(),
        .. IncludeDataNames ? Data.NamingRows() : [],
        .. IncludeDataNames && Datasets.Count > 0 ? DatasetRows() : [],
        .. SpecificationRows(),
    ]);

    /// <summary>The few entries without which other programs cannot use the file: what sd-scripts' <c>--no_metadata</c> leaves.</summary>
    public IReadOnlyDictionary<string, string> Minimum() =>
        Texts([.. Model.Minimum(), .. Network.Minimum(), .. SpecificationRows()]);

    private IEnumerable<(string Key, object? Value)> SpecificationRows() =>
        Specification?.Entries(Model.BaseModelVersion, SpecifiedContent.Adapter).Select(entry => (entry.Key, (object?)entry.Value)) ?? [];

    private IEnumerable<(string Key, object? Value)> DatasetRows() =>
        [("ss_datasets", PythonRepr.Json(Datasets.Select(dataset => dataset.Entry()).ToArray()))];

    private static Dictionary<string, string> Texts(IEnumerable<(string Key, object? Value)> rows) =>
        rows.ToDictionary(row => row.Key, row => PythonRepr.Of(row.Value), StringComparer.Ordinal);
}
