namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Faces by a network with YOLOv8's output.</summary>
public sealed class YoloFaceTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private YoloFaceOptions Options(int side = 0, int classes = 1) => new()
    {
        Model = TinyMaskers.Yolo(side, classes).Save(_folder.File($"yolo{side}_{classes}.onnx")),
    };

    [Theory]
    [InlineData(0, 1)]
    [InlineData(96, 1)]
    [InlineData(0, 3)]
    public void Find_GivesBoxes_InPixelsOfTheImage(int side, int classes)
    {
        using var detector = Options(side, classes).Load();
        var image = OnnxFolder.Plain(OnnxFolder.Red, 64, 48);
        var face = Assert.Single(detector.Find(image, default));                 // the boxes of the three places by red: 1, 1 and 0.2
        Assert.Equal(new DetectedFace(20 - 8, 24 - 6, 16, 12), face);
        Assert.Equal(0, face.Tilt);
        Assert.Empty(detector.Find(OnnxFolder.Plain(OnnxFolder.Blue, 64, 48), default));
        using var wide = (Options(side, classes) with { MaxOverlap = 1, MinScore = 0.1f }).Load();
        Assert.Equal(3, wide.Find(image, default).Count);
    }

    [Fact]
    public void Find_InALargeImage_ShrinksIt()
    {
        using var detector = (Options() with { LongestSide = 64 }).Load();
        var face = Assert.Single(detector.Find(OnnxFolder.Plain(OnnxFolder.Red, 256, 256), default));
        Assert.Equal(new DetectedFace(4 * 12, 4 * 18, 64, 48), face);
    }

    [Fact]
    public void Load_OfAnotherModel_SaysWhatItGives()
    {
        var error = Assert.Throws<InvalidFileException>(() =>
            new YoloFaceOptions { Model = TinyTaggers.Wd().Save(_folder.File("tagger.onnx")) }.Load());
        Assert.Contains("its outputs are scores Float [?, 6]", error.Fault, StringComparison.Ordinal);
        var options = Assert.Throws<InvalidOptionsException>(() => new YoloFaceOptions { MinScore = -1, MaxOverlap = 2, LongestSide = 8 }
            .Load());
        Assert.Equal(["MinScore", "MaxOverlap", "LongestSide"], options.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }
}
