using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>No two things share an entry of a cache, and no entry outlives what it was made from.</summary>
public sealed class SharedEntriesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CacheOptions Beside => new() { LatentsToDisk = true, TextEncoderOutputsToDisk = true };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ImagesThatDifferInTheExtension_HaveTheirOwnLatents_AsInMemory(bool skipCheck)
    {
        Paint("frog.png", 0xFF0000);
        Paint("frog.jpg", 0x0000FF);
        Paint("toad.png", 0x00FF00);
        var options = Beside with { SkipCheck = skipCheck };
        for (var run = 0; run < 2; run++) AssertAsInMemory(Build(), options);
        Assert.Equal(["frog.jpg_0032x0032_sd.npz", "frog.png_0032x0032_sd.npz", "toad_0032x0032_sd.npz"], Names("*.npz"));

        // Nor does a run that knows one of them only take the other's for its own.
        File.Delete(_folder.File("frog.png"));
        AssertAsInMemory(Build(), Beside);
        var all = new DatasetBuilder().Add(new FolderSource(_folder.Path) { TakeCached = true }).WithResolution(32).Build();
        Assert.Equal([("frog.jpg", false), ("frog.png", true), ("toad.png", false)],
            all.Samples.Select(sample => (Path.GetFileName(sample.Path), sample.Item.IsCachedOnly)));
        using var taken = LatentCache.Open(all, new SquareVae().Identity, Beside);
        Assert.Empty(taken.Missing);
    }

    [Fact]
    public void ImageThatIsTrainedInTwoWays_HasLatentsOfEach_AsInMemory()
    {
        Pictures.Write(_folder.File("a.png"), 96, 64);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(32)
            .AddDataset(new DatasetBuilder().AddFolder(_folder.Path)
            .WithResolution(32).WithBucketing(new FixedResolution { Mode = ResizeMode.Squash })).Build();
        for (var run = 0; run < 2; run++) AssertAsInMemory(dataset, Beside);
    }

    [Fact]
    public void SubsetsWithDifferentNeeds_CompleteOneEntry_AndLeaveWhatIsThere()
    {
        Pictures.Write(_folder.File("a.png"), 32, 32);
        var flipped = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = true } })
            .WithResolution(32);
        var masked = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Mask = LossMask.Alpha }).WithResolution(32);
        var dataset = flipped.AddDataset(masked).Build();
        using (LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), Beside))
        {
        }

        using var again = LatentCache.Open(dataset, new SquareVae().Identity, Beside);
        Assert.Empty(again.Missing);
        using var scope = NewDisposeScope();
        Assert.Equal(0, (again.Collate([0]) - again.Collate([1])).abs().max().ToSingle());
    }

    [Fact]
    public void TwoCaptionsOfOneImage_HaveTheirOwnTextOutputs_InEveryRun()
    {
        Pictures.Write(_folder.File("a.png"), 32, 32);
        File.WriteAllText(_folder.File("a.txt"), "tag, other tag");
        File.WriteAllText(_folder.File("a.caption"), "a sentence about it");
        DatasetBuilder Of(string extension) =>
            new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { CaptionExtensions = [extension] }).WithResolution(32);
        var dataset = Of(".txt").AddDataset(Of(".caption")).Build();
        string[] captions = [.. dataset.Samples.Select(sample => sample.Caption)];
        using var memory = TextOutputCache.Build(dataset, new LetterClip(new() { Hash = "clip" }));
        using var expected = memory.Collate(captions);
        for (var run = 0; run < 3; run++)
        {
            var clip = new LetterClip(new() { Hash = "clip" });
            using var disk = TextOutputCache.Build(dataset, clip, Beside);
            using var found = disk.Collate(captions);
            Assert.Equal(expected.Context.bytes.ToArray(), found.Context.bytes.ToArray());
            Assert.Equal(run == 0 ? 2 : 0, clip.Seen.Count);
        }

        Assert.Equal(2, Names("*_te_outputs*").Count);
    }

    [Fact]
    public void ImageThatReplacesAnother_EvenWithAnOlderDate_IsEncodedAgain()
    {
        Paint("frog.png", 0xFF0000);
        using (LatentCache.Build(Build(), new SquareVae(), new NamedSeeds(3), Beside))
        {
        }

        File.Delete(_folder.File("frog.png"));
        Paint("frog.jpg", 0x0000FF);
        File.SetLastWriteTimeUtc(_folder.File("frog.jpg"), new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        AssertAsInMemory(Build(), Beside);

        // Of the same name, a copy with an older date is looked into: the same content stays, another is encoded.
        File.SetLastWriteTimeUtc(_folder.File("frog.jpg"), new DateTime(2000, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        using (var same = LatentCache.Open(Build(), new SquareVae().Identity, Beside)) Assert.Empty(same.Missing);
        Paint("frog.jpg", 0x00FF00);
        File.SetLastWriteTimeUtc(_folder.File("frog.jpg"), new DateTime(2000, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        AssertAsInMemory(Build(), Beside);
    }

    [Fact]
    public void AnotherBackground_MakesLatentsStale()
    {
        var clear = new PixelImage(32, 32, 4);
        ImageFile.SavePng(_folder.File("a.png"), clear);
        AssertAsInMemory(Build(), Beside);
        AssertAsInMemory(Build(PixelColor.White), Beside);
        AssertAsInMemory(Build(), Beside);
    }

    /// <summary>Another program that completes a file keeps our notes beside latents of its own: they say nothing of these.</summary>
    [Fact]
    public void LatentsThatAnotherProgramReplaced_KeepNoIdentityOfOurs()
    {
        Pictures.Write(_folder.File("a.png"), 32, 32);
        using (LatentCache.Build(Build(), new SquareVae(), new NamedSeeds(3), Beside))
        {
        }

        var path = _folder.File("a_0032x0032_sd.npz");
        var strict = Beside with { Validation = CacheValidation.Content };
        using (var ours = LatentCache.Open(Build(), new SquareVae().Identity, strict)) Assert.Empty(ours.Missing);
        Complete(path, "latents");
        using (var theirs = LatentCache.Open(Build(), new SquareVae().Identity, strict)) Assert.Single(theirs.Missing);
        using (var bySize = LatentCache.Open(Build(), new SquareVae().Identity, Beside)) Assert.Empty(bySize.Missing);

        // Mirrored latents have a record of their own.
        File.Delete(path);
        using (LatentCache.Build(Build(), new SquareVae(), new NamedSeeds(3), Beside))
        {
        }

        Complete(path, "latents_flipped");
        using (var plain = LatentCache.Open(Build(), new SquareVae().Identity, strict)) Assert.Empty(plain.Missing);
        var mirrored = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = true } })
            .WithResolution(32).Build();
        using (var both = LatentCache.Open(mirrored, new SquareVae().Identity, strict)) Assert.Single(both.Missing);
        using (LatentCache.Build(mirrored, new SquareVae(), new NamedSeeds(3), strict))
        {
        }

        using (var again = LatentCache.Open(mirrored, new SquareVae().Identity, strict)) Assert.Empty(again.Missing);
    }

    [Fact]
    public void LatentsOfAnotherProgram_OlderThanTheImage_AreNamed()
    {
        Pictures.Write(_folder.File("a.png"), 32, 32);
        var path = _folder.File("a_0032x0032_sd.npz");
        NpzWriter.Write(path, [NpyArray.Of<float>("latents", new float[64], 4, 4, 4).ToPayload()]);
        File.SetLastWriteTimeUtc(path, new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        using var cache = LatentCache.Open(Build(), new SquareVae().Identity, Beside);
        Assert.Empty(cache.Missing);
        Assert.Contains("are older than these", Assert.Single(cache.Report.Notes));
    }

    /// <summary>sd-scripts' old layout: a file of mirrored latents is used at random, without an option.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void OldMirroredLatents_AreUsedAtRandom_WhereTheirFileIsThere(bool there)
    {
        Pictures.Write(_folder.File("a.png"), 32, 32);
        NpzWriter.Write(_folder.File("a.npz"), [NpyArray.Of<float>("arr_0", [.. Enumerable.Repeat(1f, 64)], 4, 4, 4).ToPayload()]);
        if (there)
            NpzWriter.Write(_folder.File("a_flip.npz"),
                [NpyArray.Of<float>("arr_0", [.. Enumerable.Repeat(-1f, 64)], 4, 4, 4).ToPayload()]);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Repeats = 32 }).WithResolution(32).Build();
        using var cache = LatentCache.Open(dataset, new SquareVae().Identity, Beside);
        Assert.Empty(cache.Missing);
        using var loader = new BatchLoader(new() { Workers = 0 }, cache);
        var seen = new List<(bool Flipped, float Value)>();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
            using (batch) seen.Add((batch.Draws[0].Flipped, BitConverter.ToSingle(batch.Latents!.bytes[..sizeof(float)])));
        Assert.All(seen, one => Assert.Equal(one.Flipped ? -0.5f : 0.5f, one.Value));
        if (there) Assert.InRange(seen.Count(one => one.Flipped), 4, 28);
        else Assert.DoesNotContain(seen, one => one.Flipped);
    }

    private TrainingDataset Build(PixelColor? background = null) => new DatasetBuilder().AddFolder(_folder.Path)
        .WithOptions(new() { Resolution = new(32, 32), Background = background }).Build();

    private void Paint(string name, int color)
    {
        var canvas = new Canvas(32, 32, PixelColor.FromRgb(color));
        if (name.EndsWith(".png", StringComparison.Ordinal)) ImageFile.SavePng(_folder.File(name), canvas.Image);
        else ImageFile.SaveJpeg(_folder.File(name), canvas.Image);
    }

    private List<string> Names(string pattern) => [.. Directory.GetFiles(_folder.Path, pattern).Select(path => Path.GetFileName(path))
        .Order(StringComparer.Ordinal)];

    /// <summary>Puts zeros in the place of an array, as a program would that knows nothing of the others.</summary>
    private static void Complete(string path, string name)
    {
        List<NpyArray> arrays;
        using (var file = NpzFile.Open(path))
            arrays = [.. file.Tensors.Where(array => array.Name != name).Select(array => file.ReadArray(array.Name))];
        NpzWriter.Write(path, [.. arrays.Append(NpyArray.Of<float>(name, new float[64], 4, 4, 4)).Select(array => array.ToPayload())]);
    }

    private static void AssertAsInMemory(TrainingDataset dataset, CacheOptions options)
    {
        using var scope = NewDisposeScope();
        int[] all = [.. Enumerable.Range(0, dataset.Samples.Count)];
        using var memory = LatentCache.Build(dataset, new SquareVae { LogVariance = -30 }, new NamedSeeds(3));
        using var disk = LatentCache.Build(dataset, new SquareVae { LogVariance = -30 }, new NamedSeeds(3), options);
        foreach (var index in all)
        {
            // A small spread is left by the samples, which images of one entry share.
            var difference = (memory.Collate([index]) - disk.Collate([index])).abs().max().ToSingle();
            Assert.True(difference <= 1e-5, $"{dataset.Samples[index].Path} differs by {difference}");
        }
    }
}
