using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Images of one training size, which make batches together.</summary>
/// <param name="Size">The training size.</param>
/// <param name="BatchSize">Images in a batch; the last batch of an epoch may have fewer.</param>
/// <param name="Entries">
/// Indices of samples, each as often as it is repeated. Of images that share a number of draws
/// (<see cref="SubsetOptions.SamplesPerEpoch"/>)
/// another choice is drawn in each epoch, of the same length.
/// </param>
public sealed record Bucket(PixelSize Size, int BatchSize, IReadOnlyList<int> Entries)
{
    /// <summary>Times that each image occurs in its batch (<see cref="DatasetOptions.MinibatchRepeat"/>).</summary>
    public int MinibatchRepeat { get; init; } = 1;

    /// <summary>Whether a batch that is not full is left out (<see cref="DatasetOptions.DropLast"/>).</summary>
    public bool DropLast { get; init; }

    /// <summary>For each entry the regularisation image that is trained beside it (<see cref="PriorStyle.Paired"/>); null without
    /// pairs.</summary>
    public IReadOnlyList<int>? Pairs { get; init; }

    /// <summary>Entries at the end of <see cref="Entries"/> that are drawn anew in each epoch.</summary>
    internal IReadOnlyList<CountedEntries> Counted { get; init; } = [];

    /// <summary>Different images in a batch.</summary>
    internal int EntriesPerBatch => BatchSize / MinibatchRepeat;

    /// <summary>Batches in which every entry occurs.</summary>
    public int BatchCount => (Entries.Count + (DropLast ? 0 : EntriesPerBatch - 1)) / EntriesPerBatch;

    /// <summary>The bucket of samples of one training size.</summary>
    internal static Bucket Of(PixelSize size, DatasetOptions options, IReadOnlyList<TrainingSample> samples)
    {
        var bucket = new Bucket(size, options.BatchSize, []) { MinibatchRepeat = options.MinibatchRepeat, DropLast = options.DropLast };
        if (options.PriorStyle == PriorStyle.Paired)
            return bucket with { Entries = Rounds(samples, regularization: false),
                Pairs = Rounds(samples, regularization: true) is { Count: > 0 } pairs ? pairs : null };
        List<int> entries = [.. samples.Where(sample => sample.CountedGroup == 0)
            .SelectMany(sample => Enumerable.Repeat(sample.Index, sample.Repeats))];
        var counted = new List<CountedEntries>();
        foreach (var group in samples.Where(sample => sample.CountedGroup > 0).GroupBy(sample => sample.CountedGroup))
        {
            counted.Add(new(entries.Count, group.Sum(sample => sample.Repeats), [.. group.Select(sample => sample.Index)]));
            entries.AddRange(group.SelectMany(sample => Enumerable.Repeat(sample.Index, sample.Repeats)));
        }

        return bucket with { Entries = entries, Counted = counted };
    }

    /// <summary>A copy of the bucket for a data set where samples are numbered from a higher number.</summary>
    internal Bucket From(int first) => this with
    {
        Entries = [.. Entries.Select(entry => first + entry)],
        Pairs = Pairs is null ? null : [.. Pairs.Select(entry => first + entry)],
        Counted = [.. Counted.Select(group => group with { Samples = [.. group.Samples.Select(sample => first + sample)] })],
    };

    /// <summary>Each sample once, then those that are repeated once more, and so on: 0 1 2 0 1.</summary>
    private static List<int> Rounds(IReadOnlyList<TrainingSample> samples, bool regularization)
    {
        var entries = new List<int>();
        for (var round = 0; ; round++)
        {
            var before = entries.Count;
            entries.AddRange(samples.Where(sample => sample.Subset.IsRegularization == regularization && sample.Repeats > round)
                .Select(sample => sample.Index));
            if (entries.Count == before) return entries;
        }
    }
}

/// <summary>Images that share a number of draws in each epoch: all are drawn equally often in the long run.</summary>
/// <param name="First">Where their entries begin.</param>
/// <param name="Draws">Their draws in an epoch.</param>
/// <param name="Samples">Indices of the images.</param>
internal sealed record CountedEntries(int First, int Draws, IReadOnlyList<int> Samples)
{
    /// <summary>The draws of one epoch: the images in random order, again and again in another, of which each epoch takes the next
    /// few.</summary>
    /// <param name="entries">Receives them, at their place.</param>
    /// <param name="seeds">The seeds of these images alone.</param>
    /// <param name="epoch">The epoch, from 1.</param>
    internal void Draw(int[] entries, NamedSeeds seeds, long epoch)
    {
        var position = (epoch - 1) * Draws;
        int[]? order = null;
        for (var i = 0; i < Draws; i++, position++)
        {
            var place = (int)(position % Samples.Count);
            if (order is null || place == 0)
            {
                order = [.. Samples];
                new RandomStream(seeds.For("round", position / Samples.Count)).Shuffle(order);
            }

            entries[First + i] = order[place];
        }
    }
}
