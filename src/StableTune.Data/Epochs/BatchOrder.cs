using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>The samples of one batch, before the batches of an epoch are mixed.</summary>
internal readonly record struct BatchPiece(PixelSize Size, int[] Samples);

/// <summary>Cuts the images of an epoch into batches.</summary>
internal static class BatchOrder
{
    /// <summary>The batches of an epoch, those of each part of the data set together.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="seeds">The seeds of the run.</param>
    /// <param name="epoch">The epoch, from 1.</param>
    /// <param name="random">The stream of the epoch's order.</param>
    internal static List<BatchPiece> Of(TrainingDataset dataset, NamedSeeds seeds, int epoch, RandomStream random)
    {
        var pieces = new List<BatchPiece>(dataset.BatchesPerEpoch);
        var first = 0;
        for (var i = 0; i < dataset.Parts.Count; i++)
        {
            var part = dataset.Parts[i];
            Bucket[] buckets = [.. dataset.Buckets.Skip(first).Take(part.Buckets.Count)];
            first += buckets.Length;
            var own = new NamedSeeds(seeds.For("part", i));
            if (part.BatchesPerEpoch == part.BatchesPerPass) pieces.AddRange(Pass(buckets, own, epoch, random));
            else pieces.AddRange(Window(part, buckets, own, epoch));
        }

        return pieces;
    }

    /// <summary>Every entry once: each bucket shuffled and cut.</summary>
    private static IEnumerable<BatchPiece> Pass(Bucket[] buckets, NamedSeeds seeds, long number, RandomStream random)
    {
        for (var i = 0; i < buckets.Length; i++)
            foreach (var piece in Cut(buckets[i], new NamedSeeds(seeds.For("bucket", i)), number, random))
                yield return piece;
    }

    /// <summary>
    /// Where an epoch is shorter than a pass over all images, passes follow each other in one row, and the epoch is its next piece: in
    /// the long run no image
    /// is lost, and an epoch can be planned without the ones before.
    /// </summary>
    private static List<BatchPiece> Window(TrainingDataset part, Bucket[] buckets, NamedSeeds seeds, int epoch)
    {
        var (pieces, position, end) = (
            new List<BatchPiece>(part.BatchesPerEpoch), (epoch - 1L) * part.BatchesPerEpoch, (long)epoch * part.BatchesPerEpoch);
        while (position < end)
        {
            var (number, start) = (position / part.BatchesPerPass, (int)(position % part.BatchesPerPass));
            var random = new RandomStream(seeds.For("pass", number));
            var all = Pass(buckets, seeds, number + 1, random).ToArray();
            random.Shuffle(all);
            var taken = (int)Math.Min(end - position, all.Length - start);
            pieces.AddRange(all.AsSpan(start, taken));
            position += taken;
        }

        return pieces;
    }

    private static IEnumerable<BatchPiece> Cut(Bucket bucket, NamedSeeds seeds, long number, RandomStream random)
    {
        // Of pairs the places are shuffled, so that partners stay together.
        var entries = bucket.Pairs is null ? bucket.Entries.ToArray() : [.. Enumerable.Range(0, bucket.Entries.Count)];
        for (var i = 0; i < bucket.Counted.Count; i++) bucket.Counted[i].Draw(entries, new NamedSeeds(seeds.For("counted", i)), number);
        random.Shuffle(entries);
        foreach (var chunk in entries.Chunk(bucket.EntriesPerBatch))
        {
            if (bucket.DropLast && chunk.Length < bucket.EntriesPerBatch) continue;
            if (bucket.Pairs is not { } pairs) yield return new(bucket.Size, Repeat(chunk, bucket.MinibatchRepeat));
            else yield return new(bucket.Size,
                [.. Repeat([.. chunk.Select(i => bucket.Entries[i])], bucket.MinibatchRepeat),
                .. Repeat([.. chunk.Select(i => pairs[i])], bucket.MinibatchRepeat)]);
        }
    }

    private static int[] Repeat(int[] samples, int times) =>
        times == 1 ? samples : [.. Enumerable.Repeat(samples, times).SelectMany(all => all)];
}
