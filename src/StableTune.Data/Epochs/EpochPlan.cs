using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>A batch before its data is read.</summary>
/// <param name="Index">Its place in the epoch, from 0.</param>
/// <param name="Size">The training size of all its images.</param>
/// <param name="Samples">Indices into <see cref="TrainingDataset.Samples"/>; an image may occur twice.</param>
/// <param name="FirstDraw">Images drawn in the epoch before this batch; with the place in the batch it numbers every draw.</param>
public sealed record PlannedBatch(int Index, PixelSize Size, IReadOnlyList<int> Samples, int FirstDraw)
{
    /// <summary>Which samples of the whole batch these are, where several processes share it.</summary>
    public BatchShare Share { get; init; } = new(0, Samples.Count, Samples.Count);

    /// <summary>The batch that this is a share of; null for one that nobody shares.</summary>
    internal PlannedBatch? Whole { get; private init; }

    /// <summary>One of several shares.</summary>
    internal PlannedBatch Part(int place, int parts)
    {
        var share = Share.Part(place, parts);
        var offset = share.First - Share.First;
        return this with
        {
            Samples = [.. Samples.Skip(offset).Take(share.Count)], FirstDraw = FirstDraw + offset, Share = share, Whole = Whole ?? this,
        };
    }
}

/// <summary>
/// The order of one epoch. It depends on the data set, the seed and the epoch's number alone, so a run can begin at any batch
/// of any epoch. A batch holds images of one size; the last batch of a size may be smaller; no image is lost unless an option says so.
/// </summary>
public sealed class EpochPlan
{
    private readonly NamedSeeds _seeds;

    private EpochPlan(TrainingDataset dataset, int epoch, NamedSeeds seeds, IReadOnlyList<PlannedBatch> batches) =>
        (Dataset, Epoch, _seeds, Batches) = (dataset, epoch, seeds, batches);

    /// <summary>The data set.</summary>
    public TrainingDataset Dataset { get; }

    /// <summary>The epoch, from 1.</summary>
    public int Epoch { get; }

    /// <summary>The batches, in the order in which they are trained.</summary>
    public IReadOnlyList<PlannedBatch> Batches { get; }

    /// <summary>Plans an epoch: each size's images are shuffled and cut into batches, then the batches of all sizes are shuffled.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="seeds">The seeds of the run; the stream "data" is used.</param>
    /// <param name="epoch">The epoch, from 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The epoch is less than 1.</exception>
    public static EpochPlan Create(TrainingDataset dataset, NamedSeeds seeds, int epoch)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentOutOfRangeException.ThrowIfLessThan(epoch, 1);
        var ofEpoch = new NamedSeeds(seeds.For("data", epoch));
        var random = new RandomStream(ofEpoch.For("order"));
        var order = BatchOrder.Of(dataset, seeds, epoch, random).ToArray();
        random.Shuffle(order);
        var (batches, drawn) = (new PlannedBatch[order.Length], 0);
        for (var i = 0; i < order.Length; i++)
        {
            batches[i] = new(i, order[i].Size, order[i].Samples, drawn);
            drawn += order[i].Samples.Length;
        }

        return new(dataset, epoch, ofEpoch, batches);
    }

    /// <summary>The epoch of one of several processes that share each batch: the same batches in the same order, and of each the share of
    /// this process. A process for which a short batch has no sample repeats one that counts nothing.</summary>
    /// <param name="place">Which process, from 0.</param>
    /// <param name="parts">How many there are.</param>
    public EpochPlan Part(int place, int parts) =>
        parts == 1 ? this : new(Dataset, Epoch, _seeds, [.. Batches.Select(batch => batch.Part(place, parts))]);

    /// <summary>The random numbers for one purpose of one draw: the same wherever and whenever it is made.</summary>
    /// <param name="purpose">What they are for, for instance "caption".</param>
    /// <param name="draw">The draw's number in the epoch: <see cref="PlannedBatch.FirstDraw"/> plus the place in the batch.</param>
    public RandomStream RandomFor(string purpose, int draw) => new(_seeds.For(purpose, draw));
}
