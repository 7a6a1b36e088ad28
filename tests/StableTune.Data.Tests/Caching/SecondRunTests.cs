using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>
/// Runs after the first: what computes the caches is never called, whatever form they have and however the first run ended.
/// </summary>
public sealed class SecondRunTests : IDisposable
{
    private static readonly TextIdentity s_sd1 = new() { Hash = "one encoder", ClipSkip = 2 };
    private static readonly TextIdentity s_sdxl = new() { Hash = "two encoders", IsSdxl = true, FirstWidth = 16 };

    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _own = new();
    private readonly TemporaryFolder _hints = new();
    private readonly long _heldBefore = Held;

    public SecondRunTests()
    {
        for (var i = 0; i < 5; i++)
        {
            var alpha = new PixelImage(40, 32, channels: 4);
            for (var p = 0; p < alpha.Pixels.Length; p++) alpha.Pixels[p] = (byte)((p * (i + 3)) % 251);
            ImageFile.SavePng(_folder.File($"{i}.png"), alpha);
            Pictures.Write(_hints.File($"{i}.png"), 40, 32, 7 * i);
            File.WriteAllText(_folder.File($"{i}.caption"), $"frog {i % 3}");
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _own.Dispose();
        _hints.Dispose();
        Assert.Equal(_heldBefore, Held);
    }

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => TensorCount.Live;

    public static TheoryData<bool, LatentPosterior, bool, LossMask, bool> LatentForms()
    {
        var forms = new TheoryData<bool, LatentPosterior, bool, LossMask, bool>();
        foreach (var flip in new[] { false, true })
            foreach (var mask in Enum.GetValues<LossMask>())
            {
                forms.Add(false, LatentPosterior.Sample, flip, mask, false);
                forms.Add(false, LatentPosterior.Sample, flip, mask, true);
                forms.Add(true, LatentPosterior.Sample, flip, mask, false);
                forms.Add(true, LatentPosterior.MeanStd, flip, mask, true);
            }

        return forms;
    }

    [Theory]
    [MemberData(nameof(LatentForms))]
    public void Latents_AreFound_AndGiveTheSameBatches(bool own, LatentPosterior posterior, bool flip, LossMask mask, bool sdxl)
    {
        var options = Options(own) with { Posterior = posterior };
        var dataset = Dataset(flip, mask);
        var vae = new SquareVae { Identity = new(0.5) { Hash = SquareVae.HashOf("vae"), IsSdxl = sdxl } };
        List<string> first;
        using (var cache = LatentCache.Build(dataset, vae, new NamedSeeds(3), options)) first = Batches(dataset, cache);
        foreach (var validation in Enum.GetValues<CacheValidation>())
        {
            using var second = LatentCache.Build(Dataset(flip, mask), new Untouchable(vae.Identity), new NamedSeeds(4),
                options with { Validation = validation });
            Assert.Equal((5, 0), (second.Report.Found, second.Report.Missing));
            Assert.Equal(first, Batches(dataset, second));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void TextOutputs_AreFound(bool own, bool sdxl)
    {
        var (identity, options) = (sdxl ? s_sdxl : s_sd1, Options(own) with { TextEncoderOutputsToDisk = true });
        using var scope = NewDisposeScope();
        using var first = TextOutputCache.Build(Dataset(), new LetterClip(identity), options);
        using var second = TextOutputCache.Build(Dataset(), new Mute(identity), options with { Validation = CacheValidation.Content });
        string[] captions = ["frog 2", "frog 0", "frog 1"];
        Assert.Equal(0, (first.Collate(captions).Context - second.Collate(captions).Context).abs().max().ToSingle());
        if (sdxl) Assert.Equal(0, (first.Collate(captions).Pooled! - second.Collate(captions).Pooled!).abs().max().ToSingle());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SeveralResolutionsOfOneImage_LieInOneFile_AndAreAllFound(bool mask)
    {
        TrainingDataset Build()
        {
            var builders = new[] { (32, 16), (16, 32), (64, 32) }.Select(size => new DatasetBuilder().WithResolution(size.Item1, size.Item2)
                .AddFolder(_folder.Path, new SubsetOptions { Mask = mask ? LossMask.Alpha : LossMask.None,
                    Augmentation = new() { Flip = true } })).ToList();
            return builders[0].AddDataset(builders[1]).AddDataset(builders[2]).Build();
        }

        var dataset = Build();
        List<string> first;
        using (var cache = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), Options(false))) first = Batches(dataset, cache);
        Assert.Equal(5, Directory.GetFiles(_folder.Path, "*.npz").Length);
        using (var file = NpzFile.Open(_folder.File("3_0040x0032_sd.npz")))
        {
            string[] parts = ["", "_4x2", "_4x8"];
            string[] names = ["latents", "latents_flipped", "original_size", "crop_ltrb", "image_hash", "vae_hash", "preparation",
                "image_stamp", "record", "record_flipped", .. mask ? new[] { "alpha_mask" } : []];
            Assert.Equal(parts.SelectMany(part => names.Select(name => name + part)).Order(StringComparer.Ordinal),
                file.Tensors.Select(array => array.Name).Order(StringComparer.Ordinal));
            Assert.Equal("latents_flipped_4x8: F32 [4, 4, 8]", file.ReadArray("latents_flipped_4x8").ToString());
        }

        using (var second = LatentCache.Build(Build(), new Untouchable(new SquareVae().Identity), new NamedSeeds(4), Options(false)))
            Assert.Equal(first, Batches(dataset, second));
        using var memory = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3));
        Assert.Equal(first, Batches(dataset, memory));

        // Each resolution is looked at by itself: where one no longer fits, the others stay.
        using (var other = LatentCache.Build(new DatasetBuilder().WithResolution(16, 32)
            .AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = true } }).Build(),
            new SquareVae { Identity = new(0.5) { Hash = SquareVae.HashOf("another") } }, new NamedSeeds(3),
                Options(false))) Assert.Equal(5, other.Report.Stale);
        using var third = LatentCache.Open(Build(), new SquareVae().Identity, Options(false));
        Assert.Equal((10, 5), (third.Report.Found, third.Report.Missing));
        Assert.All(third.Missing, sample => Assert.Equal(new PixelSize(16, 32), sample.Framing.Size));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void FilesCutShortAtAnyPlace_AreNoticed_AndWrittenAgain(bool own, bool distribution)
    {
        var options = Options(own) with { Posterior = distribution ? LatentPosterior.MeanStd : LatentPosterior.Sample };
        var dataset = Dataset(flip: true, LossMask.Alpha);
        List<string> first;
        using (var cache = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), options)) first = Batches(dataset, cache);
        var path = own ? Directory.GetFiles(_own.Path, "*.safetensors", SearchOption.AllDirectories)[0]
            : _folder.File("0_0040x0032_sd.npz");
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length < whole.Length; length += 61)
        {
            File.WriteAllBytes(path, whole[..length]);
            Abandon(path);
            var vae = new SquareVae();
            using (var cache = LatentCache.Build(dataset, vae, new NamedSeeds(3), options))
                Assert.Equal((1, 2), (cache.Report.Damaged, vae.Images));                         // the image and its mirror image
            using var again = LatentCache.Build(dataset, new Untouchable(vae.Identity), new NamedSeeds(3), options);
            Assert.Equal(first, Batches(dataset, again));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TextFilesCutShortAtAnyPlace_AreNoticed_AndWrittenAgain(bool own)
    {
        var options = Options(own) with { TextEncoderOutputsToDisk = true };
        using (TextOutputCache.Build(Dataset(), new LetterClip(s_sdxl), options)) { }
        var files = Directory.GetFiles(own ? _own.Path : _folder.Path, own ? "*.safetensors" : "*_te_outputs.npz",
            SearchOption.AllDirectories);
        var whole = files.ToDictionary(file => file, File.ReadAllBytes);
        for (var tenth = 0; tenth < 10; tenth++)
        {
            foreach (var (file, bytes) in whole)
            {
                File.WriteAllBytes(file, bytes[..(bytes.Length * tenth / 10)]);
                Abandon(file);
            }

            var clip = new LetterClip(s_sdxl);
            using (var cache = TextOutputCache.Build(Dataset(), clip, options))
                Assert.Equal((3, 3), (cache.Report.Damaged, clip.Seen.Count));
            using var again = TextOutputCache.Build(Dataset(), new Mute(s_sdxl), options);
            Assert.Equal(3, again.Report.Found);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ImagesThatAreHeldOut_HaveCachesOfTheirOwn_InTheSamePlace(bool own)
    {
        TrainingDataset Build()
        {
            var builder = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = true } })
                .WithResolution(32, 16);
            return builder.WithOptions(builder.Plan.Options with { ValidationSplit = 0.4 }).Build();
        }

        var (dataset, options) = (Build(), Options(own));
        Assert.Equal((3, 2), (dataset.Samples.Count, dataset.Validation!.Samples.Count));
        var first = new List<string>();
        foreach (var part in new[] { dataset, dataset.Validation })
        {
            var vae = new SquareVae();
            using var cache = LatentCache.Build(part, vae, new NamedSeeds(3), options);
            // Held-out images are measured as they are, so that they have no mirror images.
            Assert.Equal(part == dataset ? 6 : 2, vae.Images);
            first.AddRange(Batches(part, cache));
        }

        var again = Build();
        var second = new List<string>();
        foreach (var part in new[] { again, again.Validation! })
        {
            using var cache = LatentCache.Build(part, new Untouchable(new SquareVae().Identity), new NamedSeeds(4), options);
            second.AddRange(Batches(part, cache));
        }

        Assert.Equal(first, second);
        // What was held out and is trained now lacks its mirror image, and only that is made anew.
        var all = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = true } })
            .WithResolution(32, 16).Build();
        using var whole = LatentCache.Open(all, new SquareVae().Identity, options);
        Assert.Equal(dataset.Validation.Samples.Select(sample => sample.Path), whole.Missing.Select(sample => sample.Path));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PicturesOfTheHost_StayInMemory_BesideFilesOfImages(bool own)
    {
        var place = Directory.GetCurrentDirectory();
        string[] before = Directory.GetFileSystemEntries(place);
        TrainingDataset Build() => new DatasetBuilder().AddFolder(_folder.Path)
            .AddImages([new DatasetItem(HostImage.FromPixels("one", new PixelImage(40, 32)), "a toad"),
                new DatasetItem(HostImage.FromBytes("two", File.ReadAllBytes(_hints.File("1.png"))), "a newt")])
            .WithResolution(32, 16).Build();
        var options = Options(own);
        List<string> first;
        using (var cache = LatentCache.Build(Build(), new SquareVae(), new NamedSeeds(3), options))
        {
            Assert.True(cache.Bytes > 0);
            first = Batches(Build(), cache);
        }

        var vae = new SquareVae();
        using var second = LatentCache.Build(Build(), vae, new NamedSeeds(3), options);
        Assert.Equal((5, 2), (second.Report.Found, vae.Images));
        Assert.Equal(first, Batches(Build(), second));
        using var memory = LatentCache.Build(Build(), new SquareVae(), new NamedSeeds(3));
        Assert.Equal(first, Batches(Build(), memory));

        var text = options with { TextEncoderOutputsToDisk = true };
        if (own)
        {
            using (TextOutputCache.Build(Build(), new LetterClip(s_sd1), text)) { }
            using var found = TextOutputCache.Build(Build(), new Mute(s_sd1), text);             // texts need no images
            Assert.Equal(5, found.Report.Found);
        }
        else Assert.Equal("CacheOptions.TextEncoderOutputsToDisk",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() => TextOutputCache.Open(Build(), s_sd1, text)).Problems).Option);
        Assert.Equal(before, Directory.GetFileSystemEntries(place));
    }

    private CacheOptions Options(bool own) => new() { LatentsToDisk = true, Directory = own ? _own.Path : null, Workers = 0 };

    private TrainingDataset Dataset(bool flip = false, LossMask mask = LossMask.None) => new DatasetBuilder()
        .AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = flip }, Mask = mask,
            ConditioningFolder = mask == LossMask.Conditioning ? _hints.Path : null })
        .WithResolution(32, 16).WithBatchSize(2).Build();

    /// <summary>What a run that was killed while it wrote leaves behind beside the file.</summary>
    private static void Abandon(string path) =>
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.0123.tmp"), "half");

    /// <summary>Latents and masks of an epoch's batches, as text.</summary>
    private static List<string> Batches(TrainingDataset dataset, LatentCache cache)
    {
        using var loader = new BatchLoader(new() { Workers = 2 }, cache);
        var result = new List<string>();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(5), 1)))
            using (batch)
                result.Add($"{string.Join(',', batch.Draws)} {Convert.ToHexString(batch.Latents!.bytes)} "
                    + $"{(batch.Masks is null ? "none" : Convert.ToHexString(batch.Masks.bytes))}");
        return result;
    }

    private sealed class Untouchable(VaeIdentity identity) : ILatentEncoder
    {
        public VaeIdentity Identity => identity;

        public double ScalingFactor => identity.ScalingFactor;

        public LatentDistribution Encode(Tensor pixels) => throw new InvalidOperationException("The VAE was asked for.");
    }

    private sealed class Mute(TextIdentity identity) : ITextEncoder
    {
        public TextIdentity Identity => identity;

        public TextConditions Encode(IReadOnlyList<string> captions) =>
            throw new InvalidOperationException("The text encoder was asked for.");
    }
}
