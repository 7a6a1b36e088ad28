using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing;

/// <summary>Captions and tags of folders by a host's own captioner or tagger.</summary>
public sealed class ImageDescribingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<int> _batches = [];

    public ImageDescribingTests()
    {
        for (var i = 0; i < 5; i++) Pictures.Write(_folder.File($"{i}.png"), 8 + i, 8, seed: i);
    }

    private CaptioningOptions Options => new() { ImageFolder = _folder.Path, BatchSize = 2 };

    private TaggingOptions Tags => new() { ImageFolder = _folder.Path, BatchSize = 2 };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Captioning_WritesATextBesideEachImage_InBatches(int workers)
    {
        var steps = new Steps();
        var caller = Environment.CurrentManagedThreadId;
        var report = ImageCaptioning.Run(Options with { Workers = workers }, new Words(image =>
        {
            Assert.Equal(caller, Environment.CurrentManagedThreadId);
            Assert.Equal(3, image.Channels);
            return $" number {image.Pixels[0]}\n of  five \r\n";
        }, _batches), steps);
        Assert.Equal("5 done.", report.ToString());
        Assert.Equal([2, 2, 1], _batches);
        // The blank before the first line is the captioner's own; the others make one of each line end.
        for (var i = 0; i < 5; i++) Assert.Equal($" number {i} of  five\n", File.ReadAllText(_folder.File($"{i}.caption")));
        Assert.Equal(["captioning 1/5", "captioning 2/5", "captioning 3/5", "captioning 4/5", "captioning 5/5"], steps.Seen);
        Assert.Equal(" number 3 of  five\n", new FolderSource(_folder.Path).Items().ElementAt(3).Caption);
    }

    [Fact]
    public void Captioning_WhereTextsAreThere_SkipsOverwritesOrAppends()
    {
        File.WriteAllText(_folder.File("1.txt"), "mine\n");
        File.WriteAllText(_folder.File("2.txt"), "");
        var refused =
            Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            ImageCaptioning.Run(Options with { Extension = "txt" }, new Words(_ => "new", _batches))).Problems);
        Assert.Equal("CaptioningOptions.Existing", refused.Option);
        Assert.Contains("2 image(s) have a text already: 1.png, 2.png", refused.Rule);
        Assert.Empty(_batches);
        var options = Options with { Extension = "txt", Existing = ExistingText.Skip };
        var report = ImageCaptioning.Run(options, new Words(_ => "new", _batches));
        Assert.Equal(3, report.Done);
        Assert.Equal(["1.png", "2.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.Contains("1.txt already", report.Skipped[0].Reason, StringComparison.Ordinal);
        Assert.Equal([2, 1], _batches);                                        // what is left out is not even read
        Assert.Equal("mine\n", File.ReadAllText(_folder.File("1.txt")));

        Assert.Equal(5, ImageCaptioning.Run(options with { Existing = ExistingText.Append, Separator = " / " },
            new Words(_ => "more", _batches)).Done);
        Assert.Equal(["new / more\n", "mine / more\n", "more\n"],
            new[] { "0.txt", "1.txt", "2.txt" }.Select(name => File.ReadAllText(_folder.File(name))));
        Assert.Equal(5, ImageCaptioning.Run(options with { Existing = ExistingText.Overwrite }, new Words(_ => "last", _batches)).Done);
        Assert.Equal("last\n", File.ReadAllText(_folder.File("1.txt")));
    }

    [Fact]
    public void Captioning_WithBadImages_ListsThemAndGoesOn()
    {
        File.WriteAllText(_folder.File("0.jpg"), "nothing");
        File.Copy(_folder.File("1.png"), _folder.File("1.webp"));
        Pictures.Write(_folder.File("9.png"), 40, 8);
        var report = ImageCaptioning.Run(Options with { BatchSize = 4, Existing = ExistingText.Overwrite },
            new Words(image => image.Width switch
        {
            10 => throw new InvalidFileException("2.png", "the service refused it.", "Ask another."),
            11 => " \n ",
            40 => null!,
            _ => "fine",
        }, _batches));
        Assert.Equal(
            ["0.png: another image has the same name without extension", "1.webp: another image has the same name without extension",
                $"0.jpg: {Assert.Throws<InvalidFileException>(() => ImageFile.Load(_folder.File("0.jpg"))).Fault.TrimEnd('.')}",
                    "2.png: the service refused it", "3.png: nothing was said about it", "9.png: nothing was said about it"],
            report.Skipped.Select(file => $"{Path.GetFileName(file.Path)}: {file.Reason}"));
        Assert.Equal(2, report.Done);
        Assert.Equal("fine\n", File.ReadAllText(_folder.File("1.caption")));
        Assert.False(File.Exists(_folder.File("2.caption")));
        Assert.Equal([4, 1, 1, 1, 1, 1], _batches);                            // four at once, then each alone, then the last
    }

    [Fact]
    public void Captioning_ByACaptionerThatPrepares_ShowsWhatItMade_AndTellsWhatIsWritten()
    {
        var (captioner, written) = (new Preparing(), new List<ImageText>());
        var report = ImageCaptioning.Run(Options with { Workers = 2, Output = _folder.File("meta.json"), Written = new Told(written) },
            captioner);
        Assert.Equal(4, report.Done);
        Assert.Equal("the odd one", Assert.Single(report.Skipped).Reason);
        Assert.DoesNotContain(Environment.CurrentManagedThreadId, captioner.Threads);
        Assert.Equal([new(_folder.File("0.png"), "2 wide"), new(_folder.File("1.png"), "2 wide")], written.Take(2));
        Assert.Equal(new PixelSize(11, 8), MetadataFile.Load(_folder.File("meta.json"))[_folder.File("3.png")].ImageSize);
    }

    [Fact]
    public void Captioning_OfTransparentImages_ShowsThemOnWhite()
    {
        ImageFile.SavePng(_folder.File("clear.png"), new PixelImage(1, 1, 4, [10, 20, 30, 51]));
        var seen = new List<byte[]>();
        ImageCaptioning.Run(Options with { BatchSize = 1 }, new Words(image =>
        {
            if (image.Width == 1) seen.Add(image.Pixels);
            return "x";
        }, _batches));
        Assert.Equal([206, 208, 210], Assert.Single(seen));                    // (10 * 51 + 255 * 204) / 255 ...
    }

    [Fact]
    public void Captioning_IntoOneFile_AddsToWhatItSays()
    {
        Directory.CreateDirectory(_folder.File("more"));
        Pictures.Write(_folder.File("more", "0.png"), 9, 7);
        var path = _folder.File("meta.json");
        MetadataFile.Save(path, new Dictionary<string,
            ImageMetadata> { ["other"] = new() { Caption = "kept" }, [_folder.File("1.png")] = new() { Caption = "mine", Tags = "a, b" } });
        var options = Options with { Recursive = true, Output = path, Existing = ExistingText.Skip };
        var report = ImageCaptioning.Run(options, new Words(image => $"{image.Width} wide", _batches));
        Assert.Equal(5, report.Done);
        Assert.Contains("captions already", Assert.Single(report.Skipped).Reason, StringComparison.Ordinal);
        var written = MetadataFile.Load(path);
        Assert.Equal(["other", _folder.File("1.png"), _folder.File("0.png"), _folder.File("2.png"), _folder.File("3.png"),
            _folder.File("4.png"), _folder.File("more", "0.png")], written.Keys);
        Assert.Equal(("mine", "a, b"), (written[_folder.File("1.png")].Caption, written[_folder.File("1.png")].Tags));
        Assert.Equal(("9 wide", new PixelSize(9, 7)),
            (written[_folder.File("more", "0.png")].Caption, written[_folder.File("more", "0.png")].ImageSize));
        Assert.Empty(Directory.EnumerateFiles(_folder.Path, "*.caption", SearchOption.AllDirectories));

        ImageCaptioning.Run(options with { Existing = ExistingText.Append }, new Words(_ => "more", _batches));
        Assert.Equal("mine, more", MetadataFile.Load(path)[_folder.File("1.png")].Caption);
    }

    [Fact]
    public void Tagging_IntoLines_IsReadAgain()
    {
        var path = _folder.File("meta.jsonl");
        ImageTagging.Run(Tags with { Output = path }, new Scores(image => [new("wide", image.Width > 10 ? 1 : 0), new("it's \"é\"", 1)]));
        Assert.Equal(5, File.ReadAllLines(path).Length);
        Assert.Equal($$"""{"image_path":"{{_folder.File("0.png")}}","tags":"it's \"é\"","image_size":[8,8]}""", File.ReadAllLines(path)[0]);
        var read = MetadataFile.Load(path);
        Assert.Equal("wide, it's \"é\"", read[_folder.File("4.png")].Tags);
        Assert.Equal(5, new MetadataSource(path).Items().Count());
    }

    [Fact]
    public void Captioning_WhenCancelled_KeepsWhatWasMade()
    {
        foreach (var output in new[] { null, _folder.File("meta.json") })
        {
            using var cancel = new CancellationTokenSource();
            var shown = 0;
            Assert.Throws<OperationCanceledException>(() => ImageCaptioning.Run(Options with { Output = output }, new Words(_ =>
            {
                if (++shown == 2) cancel.Cancel();
                return "made";
            }, _batches), null, cancel.Token));
            Assert.Equal(2, output is null ? Directory.EnumerateFiles(_folder.Path, "*.caption").Count() : MetadataFile.Load(output).Count);
        }
    }

    [Fact]
    public void Captioning_IntoOneFile_IsSavedOnTheWay()
    {
        for (var i = 5; i < 258; i++) File.Copy(_folder.File("0.png"), _folder.File($"{i}.png"));
        var path = _folder.File("meta.json");
        var (shown, saved) = (0, new List<int>());
        ImageCaptioning.Run(Options with { BatchSize = 1, Output = path }, new Words(_ =>
        {
            saved.Add(File.Exists(path) ? MetadataFile.Load(path).Count : 0);
            return $"number {++shown}";
        }, _batches));
        Assert.Equal([(0, 256), (256, 2)], saved.CountBy(count => count).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(258, MetadataFile.Load(path).Count);
    }

    [Fact]
    public void Captioning_WhenTheCaptionerIsBroken_Ends()
    {
        var error = Assert.Throws<InvalidOperationException>(() => ImageCaptioning.Run(Options, new Silent()));
        Assert.Contains("2 image(s) were shown and 0 answer(s) given", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() =>
            ImageCaptioning.Run(Options, new Words(_ => throw new NotSupportedException(), _batches)));
        File.WriteAllText(_folder.File("meta.json"), "[");
        Assert.Throws<InvalidFileException>(() => ImageCaptioning.Run(Options with { Output = _folder.File("meta.json") },
            new Words(_ => "x", _batches)));
    }

    [Fact]
    public void Tagging_WritesSelectedTags_AndCountsThem()
    {
        File.WriteAllText(_folder.File("1.txt"), "mine, big ,wide\n");
        var report =
            ImageTagging.Run(Tags with { Existing = ExistingText.Append,
            Selection = new() { RemoveUnderscores = true, UndesiredTags = ["odd one"] } },
            new Scores(image => [new("big", image.Width > 8 ? 1 : 0), new("wide_one", image.Width > 10 ? 0.35f : 0.34f),
                new("odd_one", 1)]));
        Assert.Equal(5, report.Files.Done);
        Assert.Equal(["\n", "mine, big, wide\n", "big\n", "big, wide one\n", "big, wide one\n"], Enumerable.Range(0, 5)
            .Select(i => File.ReadAllText(_folder.File($"{i}.txt"))));
        Assert.Equal([new("big", 4), new TagCount("wide one", 2)], report.Frequencies);
    }

    [Fact]
    public void Run_WithOptionsThatCannotWork_ListsThem()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => ImageTagging.Run(
            new() { ImageFolder = _folder.File("none"), Output = _folder.Path, Extension = "a/b", Existing = (ExistingText)9,
                BatchSize = 0, Workers = -1, Selection = new() { Separator = "" } },
            new Scores(_ => [])));
        Assert.Equal(["TaggingOptions.ImageFolder", "TaggingOptions.Output", "TaggingOptions.Extension", "TaggingOptions.Extension",
            "TaggingOptions.Existing", "TaggingOptions.BatchSize",
            "TaggingOptions.Workers", "TagSelection.Separator"], error.Problems.Select(problem => problem.Option));
        foreach (var extension in new[] { "png", " .JPG", ".", "" })
            Assert.Equal("CaptioningOptions.Extension", Assert.Single((Options with { Extension = extension }).Validate()).Option);
        Assert.Equal("CaptioningOptions.Separator", Assert.Single((Options with { Separator = "" }).Validate()).Option);
    }

    private sealed class Words(Func<PixelImage, string> describe, List<int> batches) : ICaptioner
    {
        public IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
        {
            batches.Add(images.Count);
            return [.. images.Select(describe)];
        }
    }

    private sealed class Silent : ICaptioner
    {
        public IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) => [];
    }

    private sealed class Scores(Func<PixelImage, IReadOnlyList<ScoredTag>> score) : ITagger
    {
        public IReadOnlyList<IReadOnlyList<ScoredTag>> Tag(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) =>
            [.. images.Select(score)];
    }

    private sealed class Steps : IProgress<WorkProgress>
    {
        internal List<string> Seen { get; } = [];

        public void Report(WorkProgress value) => Seen.Add($"{value.Stage} {value.Done}/{value.Total}");
    }

    private sealed class Told(List<ImageText> texts) : IProgress<ImageText>
    {
        public void Report(ImageText value) => texts.Add(value);
    }

    /// <summary>Halves images, on other threads, and takes no image of 12 columns.</summary>
    private sealed class Preparing : ICaptioner
    {
        public System.Collections.Concurrent.ConcurrentBag<int> Threads { get; } = [];

        public PixelImage Prepare(PixelImage image)
        {
            Threads.Add(Environment.CurrentManagedThreadId);
            return image.Width == 12 ? throw new IOException("the odd one") : ImageResize.Resize(image, 2, 2);
        }

        public IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) =>
            [.. images.Select(image => $"{image.Width} wide")];
    }
}
