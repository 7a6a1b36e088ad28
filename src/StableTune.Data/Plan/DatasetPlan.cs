using System.Collections.Immutable;
using StableTune.Data;

namespace StableTune;

/// <summary>A source of images and how they are trained.</summary>
/// <param name="Source">Where the images come from.</param>
/// <param name="Options">How they are trained.</param>
public sealed record SubsetPlan(IDatasetSource Source, SubsetOptions Options);

/// <summary>Everything a data set is made from; what <see cref="DatasetBuilder"/> writes on.</summary>
public sealed record DatasetPlan : OptionsBase
{
    /// <summary>What the subsets have in common.</summary>
    public DatasetOptions Options { get; init; } = new();

    /// <summary>The subsets, in the order in which they were added.</summary>
    public ImmutableArray<SubsetPlan> Subsets { get; init; } = [];

    /// <summary>Data sets trained in the same run, each with its own resolution, batch size and buckets: an epoch holds the batches of
    /// all.</summary>
    public ImmutableArray<DatasetPlan> Others { get; init; } = [];

    /// <summary>What the user should know of how the plan came about; becomes part of the data set's warnings.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];

    /// <summary>All plans: this one, then <see cref="Others"/>.</summary>
    internal IEnumerable<DatasetPlan> All => Others.SelectMany(other => other.All).Prepend(this with { Others = [] });

    /// <summary>The plan whose batches are shared by several devices: each has as many images as this plan's batches.</summary>
    internal DatasetPlan SharedBy(int devices) => devices == 1 ? this : this with
    {
        Options = Options with { BatchSize = (int)Math.Min(int.MaxValue, (long)Options.BatchSize * devices) },
        Others = [.. Others.Select(other => other.SharedBy(devices))],
    };

    /// <summary>Checks options, lists folders, and reads captions and image headers; no pixels.</summary>
    public override IEnumerable<OptionProblem> Validate() => Inspect().Problems;

    /// <summary>Checks the plan and, when nothing is wrong, makes the data set, in one pass over the files.</summary>
    public DatasetInspection Inspect() => DatasetAssembly.Inspect(this);

    /// <summary>Makes the data set.</summary>
    /// <exception cref="InvalidOptionsException">Options, folders, captions or image headers are wrong; the message lists every
    /// fault.</exception>
    public TrainingDataset Build()
    {
        var inspection = Inspect();
        return inspection.Dataset ?? throw new InvalidOptionsException(inspection.Problems);
    }
}

/// <summary>The outcome of looking at a plan's files.</summary>
/// <param name="Dataset">The data set; null when there are problems.</param>
/// <param name="Problems">All that is wrong; empty when there is a data set.</param>
public sealed record DatasetInspection(TrainingDataset? Dataset, IReadOnlyList<OptionProblem> Problems);
