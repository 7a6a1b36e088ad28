using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>Cutting around faces that a host's detector finds.</summary>
public sealed class FaceCroppingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    private FaceCroppingOptions Options => new() { Source = _folder.Path, Destination = _out.Path };

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    // Image, face; crop size, face size, fit; resized, place and size of the cut; where the face is then.
    public static TheoryData<int[], int[], int[], int[], int[]> Cuts() => new()
    {
        { [1000, 800], [500, 300, 100, 120], [400, 300, 0, 0], [1000, 800, 300, 150, 400, 300], [200, 150, 100, 120] },
        { [1000, 800], [50, 40, 100, 120], [400, 300, 0, 0], [1000, 800, 0, 0, 400, 300], [50, 40, 100, 120] },
        { [1000, 800], [980, 780, 100, 120], [400, 300, 0, 0], [1000, 800, 600, 500, 400, 300], [380, 280, 100, 120] },
        { [1000, 800], [500, 300, 100, 120], [400, 300, 60, 0], [500, 400, 50, 0, 400, 300], [200, 150, 50, 60] },
        { [1000, 800], [500, 300, 100, 120], [400, 300, 30, 0], [400, 320, 0, 0, 400, 300], [200, 120, 40, 48] },
        { [1000, 800], [500, 300, 100, 120], [400, 300, 0, 1], [400, 320, 0, 0, 400, 300], [200, 120, 40, 48] },
        { [100, 80], [50, 40, 10, 12], [200, 200, 0, 0], [250, 200, 25, 0, 200, 200], [100, 100, 25, 30] },
    };

    [Theory]
    [MemberData(nameof(Cuts))]
    public void Frame_WithACropSize_CutsAroundTheFace(int[] image, int[] face, int[] crop, int[] framing, int[] then)
    {
        var options = new FaceCroppingOptions { CropSize = new(crop[0], crop[1]), FaceSize = crop[2] > 0 ? crop[2] : null,
            FitToCrop = crop[3] > 0 };
        var (cut, place) = FaceCropping.Frame(new(image[0], image[1]), new(face[0], face[1], face[2], face[3]), options);
        Assert.Equal(framing, (int[])[cut.Resized.Width, cut.Resized.Height, cut.Left, cut.Top, cut.Size.Width, cut.Size.Height]);
        Assert.Equal(then, (int[])[place.X, place.Y, place.Width, place.Height]);
    }

    [Theory]
    [InlineData(1000, 800, 2, 3, 380, 120, 240, 360)]
    [InlineData(510, 330, 3, 3, 150, 0, 360, 330)]           // no larger than the image
    public void Frame_WithACropRatio_IsMultiplesOfTheFace(int width, int height, double horizontal, double vertical, int left, int top,
        int cutWidth, int cutHeight)
    {
        var (cut, place) = FaceCropping.Frame(new(width, height), new(500, 300, 100, 120), new() { CropRatio = (horizontal, vertical) });
        Assert.Equal(new Framing(new(width, height), left, top, new(cutWidth, cutHeight)), cut);
        Assert.Equal(new FacePlace(500 - left, 300 - top, 100, 120), place);
    }

    [Fact]
    public void Run_OfSeveralFaces_WritesThemWithTheirPlaces()
    {
        Pictures.Write(_folder.File("anna.png"), 200, 100);
        var faces = new Faces(_ => [new(10, 20, 30, 40), new(100, 10, 60, 50), new(5, 5, 8, 8)]);
        Assert.Equal("1 done.", FaceCropping.Run(Options with { CropSize = new(80, 80) }, faces).ToString());
        Assert.Equal(["anna_0040_0035_0060_0050.png"], Names());                 // the largest
        var original = ImageFile.Load(_folder.File("anna.png"));
        Assert.Equal(original.Crop(90, 0, 80, 80).Pixels, ImageFile.Load(_out.File("anna_0040_0035_0060_0050.png")).Pixels);

        Assert.Equal(1, FaceCropping.Run(Options with { MultipleFaces = true, MinSize = 9, MaxSize = 60, Overwrite = true }, faces).Done);
        Assert.Equal(["anna_0040_0035_0060_0050.png", "anna_02_0025_0040_0030_0040.png"], Names());
        Assert.Equal(original.Pixels, ImageFile.Load(_out.File("anna_02_0025_0040_0030_0040.png")).Pixels);
        Assert.Equal(new FacePlace(25, 40, 30, 40), FacePlace.Parse(_out.File("anna_02_0025_0040_0030_0040.png")));
    }

    [Fact]
    public void Run_WithRotation_MakesTheEyesLevel()
    {
        var image = new PixelImage(200, 200);
        foreach (var (x, y) in new[] { (80, 90), (120, 130) })
            for (var row = -2; row <= 2; row++) image.Row(y + row).Slice(3 * (x - 2), 15).Fill(255);
        ImageFile.SavePng(_folder.File("anna.png"), image);
        var face = new DetectedFace(70, 80, 60, 60) { LeftEye = (80, 90), RightEye = (120, 130) };
        Assert.Equal(45, face.Tilt, 1e-9);
        FaceCropping.Run(Options with { Rotate = true }, new Faces(_ => [face]));
        var turned = ImageFile.Load(_out.File("anna_0100_0110_0060_0060.png"));
        foreach (var x in new[] { 72, 128 }) Assert.Equal(255, turned.Row(110)[3 * x]);        // the eyes are 56.6 apart
        foreach (var (x, y) in new[] { (80, 90), (120, 130) }) Assert.Equal(0, turned.Row(y)[3 * x]);
    }

    [Fact]
    public void Run_WithImagesThatGiveNothing_ListsThemAndGoesOn()
    {
        foreach (var (name, width) in new[] { ("a", 10), ("b", 20), ("c", 30), ("d", 40), ("e", 50) })
            Pictures.Write(_folder.File(name + ".png"), width, 50);
        File.WriteAllText(_folder.File("broken.png"), "nothing");
        File.Copy(_folder.File("a.png"), _folder.File("a.webp"));
        var faces = new Faces(image => image.Width switch
        {
            10 => [],
            20 => [new(0, 0, double.NaN, 5)],
            30 => throw new IOException("the service is away."),
            40 => [new(0, 0, 4, 4)],
            _ => [new(-20, 10, 30, 30)],
        });
        var report = FaceCropping.Run(Options with { MinSize = 5 }, faces);
        Assert.Equal(1, report.Done);
        Assert.Equal(["e_0000_0025_0030_0030.png"], Names());
        var reasons = report.Skipped.ToDictionary(file => Path.GetFileName(file.Path), file => file.Reason);
        Assert.Equal(["a.png", "a.webp", "b.png", "broken.png", "c.png", "d.png"], reasons.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("no face was found", reasons["a.png"]);
        Assert.StartsWith("the detector gave a face that cannot be", reasons["b.png"], StringComparison.Ordinal);
        Assert.Equal("the service is away", reasons["c.png"]);
        Assert.Equal("its largest face, 4x4, is too small or too large", reasons["d.png"]);

        Assert.Contains("e_0000_0025_0030_0030.png",
            Assert.Throws<InvalidOptionsException>(() => FaceCropping.Run(Options with { MinSize = 5 }, faces)).Message);
        Assert.Contains("it is there already", FaceCropping.Run(Options with { MinSize = 5, KeepExisting = true },
            faces).Skipped.Single(file => file.Path.StartsWith(_out.Path, StringComparison.Ordinal)).Reason);
        Assert.Equal(1, FaceCropping.Run(Options with { MinSize = 5, Overwrite = true }, faces).Done);
        Assert.Throws<NotSupportedException>(() =>
            FaceCropping.Run(Options with { Overwrite = true }, new Faces(_ => throw new NotSupportedException())));
    }

    [Fact]
    public void Run_WithAFaceThatWouldNeedAHugeImage_IsToldSo()
    {
        Pictures.Write(_folder.File("a.png"), 100, 100);
        var report = FaceCropping.Run(Options with { CropSize = new(64, 64), FaceSize = 100_000 }, new Faces(_ => [new(10, 10, 1, 1)]));
        Assert.Contains("100x100", Assert.Single(report.Skipped).Reason, StringComparison.Ordinal);
        Assert.Empty(Names());
    }

    [Fact]
    public void Run_WithOptionsThatCannotWork_ListsThem()
    {
        var wrong = new FaceCroppingOptions { CropSize = new(0, 5), CropRatio = (0, 1), FaceSize = 0, FitToCrop = true, MinSize = 0,
            MaxSize = 0, Workers = -1 };
        var error = Assert.Throws<InvalidOptionsException>(() => FaceCropping.Run(wrong, new Faces(_ => [])));
        Assert.Equal(
            ["Source", "Destination", "CropSize", "CropRatio", "CropRatio", "FaceSize", "FitToCrop", "MinSize", "MaxSize", "Workers"],
            error.Problems.Select(problem => problem.Option.Split('.')[^1]));
        Assert.Equal("0 x 1", error.Problems[3].Value);
        var without = Assert.Throws<InvalidOptionsException>(() => FaceCropping.Run(Options with { FaceSize = 5, FitToCrop = true },
            new Faces(_ => [])));
        Assert.Equal(["FaceSize", "FitToCrop", "FitToCrop"], without.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    private string[] Names() =>
        [.. Directory.EnumerateFiles(_out.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private sealed class Faces(Func<PixelImage, IReadOnlyList<DetectedFace>> find) : IFaceDetector
    {
        public IReadOnlyList<DetectedFace> Find(PixelImage image, CancellationToken cancellationToken) => find(image);
    }
}
