using StableTune.Imaging;

namespace StableTune.Data;

internal sealed partial class DatasetAssembly
{
    /// <summary>One image with its training size.</summary>
    /// <param name="Item">The image.</param>
    /// <param name="Framing">How it comes to its size.</param>
    /// <param name="Repeats">Times it occurs in an epoch.</param>
    /// <param name="Group">The group with which it shares a number of draws; 0 for none.</param>
    private sealed record Placed(Found Item, Framing Framing, int Repeats, int Group = 0);

    /// <summary>Frames every image, decides how often each occurs, and numbers the samples.</summary>
    private List<TrainingSample> Place(List<Found> found)
    {
        foreach (var folder in found.OrderBy(item => item.Subset.IsRegularization)
            .GroupBy(item => (item.Folder, item.Subset, item.Repeats)))
            _folders.Add(new(folder.Key.Folder, folder.Key.Repeats, folder.Count(), folder.Key.Subset, folder.First().ClassTokens));
        var training = Counted(Framed(found.Where(item => !item.Subset.IsRegularization)));
        var regularization = found.Where(item => item.Subset.IsRegularization).ToList();
        List<Placed> placed = _options.PriorStyle == PriorStyle.Paired ? Paired(training, regularization)
            : [.. training, .. Balanced(regularization, training.Sum(item => item.Repeats))];
        var samples = placed.Select((item, index) => Sample(item.Item, index, item.Repeats, item.Framing, item.Group)).ToList();
        if (_options.DropLast && _problems.Count == 0 && samples.GroupBy(sample => sample.Framing.Size)
            .Select(same => Bucket.Of(same.Key, _options, [.. same])).All(bucket => bucket.BatchCount == 0))
            _problems.Add(new("DatasetOptions.DropLast", true,
                $"no training size has enough images for a batch of {_options.BatchSize}, so that nothing would be left",
                "make batches smaller, repeat images, or leave it off"));
        return samples;
    }

    private List<Placed> Framed(IEnumerable<Found> found) =>
        [.. found.Select(item => Framed(item, item.Repeats, () => Frame(item.Item))).OfType<Placed>()];

    private Placed? Framed(Found item, int repeats, Func<Framing> frame)
    {
        try
        {
            return new(item, Checked(frame()), repeats);
        }
        catch (ArgumentException e)
        {
            _problems.Add(new("DatasetItem.Path", item.Item.Path, e.Message.TrimEnd('.'),
                "leave the image out, or choose another resolution"));
            return null;
        }
    }

    /// <summary>Regularisation images, as many as training images; those that are not needed are left out.</summary>
    private IEnumerable<Placed> Balanced(List<Found> regularization, int wanted)
    {
        if (regularization.Count > 0) WarnAboutBalance(regularization.Sum(item => item.Repeats), wanted);
        var repeats = RegularizationBalance.Repeats([.. regularization.Select(item => item.Repeats)], wanted);
        return Framed(regularization.Where((_, i) => repeats[i] > 0)).Zip(repeats.Where(count => count > 0), (item, count) =>
            item with { Repeats = count }).ToList();
    }

    /// <summary>Gives subsets that have a number of draws instead of repeats their numbers, size by size.</summary>
    private List<Placed> Counted(List<Placed> training)
    {
        var counts = Counts([.. training.Select(item => item.Item).DistinctBy(item => item.Captions)]);
        if (counts.Count == 0) return training;
        var group = 0;
        foreach (var (captions, count) in counts)
        {
            group++;
            int[] own = [.. Enumerable.Range(0, training.Count).Where(i => ReferenceEquals(training[i].Item.Captions, captions))];
            var sizes = own.GroupBy(i => training[i].Framing.Size).ToList();
            if (count < sizes.Count)
            {
                _problems.Add(new("SubsetOptions.SamplesPerEpoch", count,
                    $"the images of {training[own[0]].Item.Folder} have {sizes.Count} training sizes, of which some would never be drawn",
                    $"give at least {sizes.Count}, or use fewer buckets"));
                continue;
            }

            var shares = SampleShares.Of([.. sizes.Select(same => (double)same.Count())], count);
            foreach (var (same, draws) in sizes.Zip(shares))
                foreach (var (i, place) in same.Select((i, place) => (i, place)))
                    training[i] = training[i] with { Repeats = (draws / same.Count()) + (place < draws % same.Count() ? 1 : 0),
                        Group = group };
        }

        return training;
    }

    /// <summary>The number of draws of each subset that has one, known by its caption pipeline.</summary>
    private Dictionary<CaptionPipeline, int> Counts(List<Found> subsets)
    {
        if (_options.SamplesPerEpoch is not { } total)
            return subsets.Where(item => item.Subset.SamplesPerEpoch is not null)
                .ToDictionary(item => item.Captions, item => item.Subset.SamplesPerEpoch!.Value);
        if (total < subsets.Count)
        {
            _problems.Add(new("DatasetOptions.SamplesPerEpoch", total,
                $"there are {subsets.Count} subsets, of which some would never be drawn", $"give at least {subsets.Count}"));
            return [];
        }

        var shares = SampleShares.Of([.. subsets.Select(item => item.Subset.Weight ?? 1)], total);
        return subsets.Zip(shares).ToDictionary(pair => pair.First.Captions, pair => pair.Second);
    }

    /// <summary>
    /// Pairs each training image with a regularisation image of its own training size. The longer of both lists counts, the shorter is
    /// walked through again; with several sizes each has its share of the length.
    /// </summary>
    private List<Placed> Paired(List<Placed> training, List<Found> regularization)
    {
        if (regularization.Count == 0)
        {
            _problems.Add(new("DatasetOptions.PriorStyle", PriorStyle.Paired, "there are no regularisation images to pair with",
                "add some with AddRegularizationRoot, or leave it at PriorStyle.Separate"));
            return training;
        }

        Found[] classes = [.. regularization.SelectMany(item => Enumerable.Repeat(item, item.Repeats))];
        long total = training.Sum(item => item.Repeats);
        var (placed, next) = (new List<Placed>(), 0);
        foreach (var same in training.GroupBy(item => item.Framing.Size))
        {
            long own = same.Sum(item => item.Repeats);
            var length = (int)Math.Max(own, ((own * classes.Length) + total - 1) / total);
            placed.AddRange(Stretched([.. same], length));
            var partners = new OrderedDictionary<Found, int>(ReferenceEqualityComparer.Instance);
            for (var i = 0; i < length; i++, next++)
            {
                var partner = classes[next % classes.Length];
                partners[partner] = partners.GetValueOrDefault(partner) + 1;
            }

            placed.AddRange(partners.Select(partner =>
                Framed(partner.Key, partner.Value, () => FixedResolution.Cover(partner.Key.Item.Size!.Value, same.Key))).OfType<Placed>());
        }

        return placed;
    }

    /// <summary>Repeats images further, one after the other, until they are as many as wanted.</summary>
    private static IEnumerable<Placed> Stretched(List<Placed> images, int length)
    {
        var more = length - images.Sum(item => item.Repeats);
        return images.Select((item, i) => item with { Repeats = item.Repeats + (more / images.Count) + (i < more % images.Count ? 1 : 0) });
    }
}
