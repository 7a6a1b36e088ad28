namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Tagging that was stopped goes on where it was, and its images are prepared ahead.</summary>
public sealed class TaggingResumeTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_AfterAStop_ShowsEachImageOnce(bool oneFile)
    {
        var count = Exhaustive.Runs(600, 10_000);
        var bytes = ImageFile.EncodePng(OnnxFolder.Plain(OnnxFolder.Red));
        for (var i = 0; i < count; i++) File.WriteAllBytes(Path.Combine(_folder.Images, $"{i:D5}.png"), bytes);
        using var network = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m")), Threads = 1 }.Load();
        var tagger = new Counting(network);
        var options = new TaggingOptions
        {
            ImageFolder = _folder.Images, BatchSize = 16, Workers = 2, Existing = ExistingText.Skip,
            Output = oneFile ? _folder.File("meta.json") : null,
        };
        using var stop = new CancellationTokenSource();
        var progress = new Stopping(count / 2, stop);
        Assert.ThrowsAny<OperationCanceledException>(() => ImageTagging.Run(options, tagger, progress, stop.Token));
        Assert.InRange(tagger.Seen, count / 2, (count / 2) + 16);
        var before = tagger.Seen;
        var report = ImageTagging.Run(options, tagger);
        Assert.Equal(count, tagger.Seen);
        Assert.Equal((count - before, before), (report.Files.Done, report.Files.Skipped.Count));
        if (oneFile)
            Assert.All(MetadataFile.Load(options.Output!).Values, image => Assert.Equal("red_rose", image.Tags));
        else Assert.All(Directory.GetFiles(_folder.Images, "*.txt"), file => Assert.Equal("red_rose\n", File.ReadAllText(file)));
        Assert.Equal(0, ImageTagging.Run(options, tagger).Files.Done);
        Assert.Equal(count, tagger.Seen);
    }

    [Fact]
    public void Run_ShowsPreparedImages_AndKeepsTheSizeOfTheFiles()
    {
        _folder.Write("a.png", OnnxFolder.Plain(OnnxFolder.Blue, 100, 60));
        using var network = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m")) }.Load();
        var tagger = new Counting(network);
        ImageTagging.Run(new TaggingOptions { ImageFolder = _folder.Images, Output = _folder.File("meta.json") }, tagger);
        Assert.Equal(new PixelSize(8, 8), tagger.Last!.Size);
        Assert.Equal(new PixelSize(100, 60), MetadataFile.Load(_folder.File("meta.json")).Values.Single().ImageSize);
    }

    private sealed class Stopping(int at, CancellationTokenSource stop) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value)
        {
            if (value.Done == at) stop.Cancel();
        }
    }

    private sealed class Counting(OnnxTagger tagger) : ITagger
    {
        public int Seen { get; private set; }

        public PixelImage? Last { get; private set; }

        public PixelImage Prepare(PixelImage image) => tagger.Prepare(image);

        public IReadOnlyList<IReadOnlyList<ScoredTag>> Tag(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
        {
            (Seen, Last) = (Seen + images.Count, images[^1]);
            return tagger.Tag(images, cancellationToken);
        }
    }
}
