namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Faces by a network with YuNet's outputs.</summary>
public sealed class YuNetTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private YuNetDetector Detector(int side = 0, Func<YuNetOptions, YuNetOptions>? change = null)
    {
        var options = new YuNetOptions { Model = TinyMaskers.YuNet(side).Save(_folder.File($"yunet{side}.onnx")) };
        return (change?.Invoke(options) ?? options).Load();
    }

    /// <summary>Black with a white square for each face.</summary>
    private static PixelImage Picture(int width, int height, params (int X, int Y, int Side)[] cells)
    {
        var image = new PixelImage(width, height);
        foreach (var (x, y, side) in cells)
            for (var row = y; row < y + side; row++) image.Row(row).Slice(3 * x, 3 * side).Fill(255);
        return image;
    }

    [Theory]
    [InlineData(0, 64, 64)]
    [InlineData(0, 50, 70)]
    [InlineData(96, 64, 64)]
    public void Find_GivesBoxesAndEyes_InPixelsOfTheImage(int side, int width, int height)
    {
        using var detector = Detector(side);
        var face = Assert.Single(detector.Find(Picture(width, height, (24, 32, 8)), default));
        Assert.Equal((28 - 12, 36 - 16, 24, 32), (face.Left, face.Top, face.Width, face.Height), new Near());
        Assert.Equal((24d, 34), face.LeftEye);
        Assert.Equal((32d, 38), face.RightEye);
        Assert.Equal(Math.Atan2(4, 8) * 180 / Math.PI, face.Tilt, 1e-6);
        Assert.Empty(detector.Find(new PixelImage(width, height), default));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(0)]
    public void Find_InALargeImage_ShrinksIt(int side)
    {
        using var detector = Detector(side, options => options with { LongestSide = 64 });
        var face = Assert.Single(detector.Find(Picture(256, 128, (96, 64, 32)), default));
        Assert.Equal((112 - 48, 80 - 64, 96, 128), (face.Left, face.Top, face.Width, face.Height), new Near());
    }

    [Fact]
    public void Find_WithFacesThatOverlap_TakesTheSurerOne()
    {
        var image = Picture(128, 128, (64, 64, 32), (8, 8, 8));                 // a cell of 32 is one of 16 and of 8 too
        using (var detector = Detector())
        {
            // The cell of 32 gives one face; of its 4 cells of 16 and 16 of 8, those that overlap no other by more than 0.3 stay.
            var faces = detector.Find(image, default);
            Assert.Contains(faces, face => Math.Abs(face.Width - 96) < 1e-3 && Math.Abs(face.Height - 128) < 1e-3);
            foreach (var (a, b) in from a in faces from b in faces where a != b select (a, b)) Assert.True(Shared(a, b) <= 0.3 + 1e-9);
        }

        using (var all = Detector(0, options => options with { MaxOverlap = 1 })) Assert.Equal(22, all.Find(image, default).Count);
        using var sure = Detector(0, options => options with { MinScore = 0.2f });
        Assert.True(sure.Find(Picture(64, 64, (24, 32, 8)), default).Count >= 1);

        static double Shared(DetectedFace a, DetectedFace b)
        {
            var width = Math.Max(0, Math.Min(a.Left + a.Width, b.Left + b.Width) - Math.Max(a.Left, b.Left));
            var height = Math.Max(0, Math.Min(a.Top + a.Height, b.Top + b.Height) - Math.Max(a.Top, b.Top));
            return width * height / ((a.Width * a.Height) + (b.Width * b.Height) - (width * height));
        }
    }

    [Fact]
    public void FaceTools_UseIt()
    {
        _folder.Write("anna.png", Picture(64, 64, (24, 32, 8)));
        _folder.Write("none.png", new PixelImage(64, 64));
        using var detector = Detector();
        var cut = FaceCropping.Run(new() { Source = _folder.Images, Destination = _folder.File("cut"), Rotate = true,
            CropRatio = (1, 1) }, detector);
        Assert.Equal(1, cut.Done);
        Assert.Equal("no face was found", Assert.Single(cut.Skipped).Reason);
        Assert.Equal("anna_0016_0016_0024_0032.png", Path.GetFileName(Assert.Single(Directory.GetFiles(_folder.File("cut")))));

        Assert.Equal(2, FaceMaskMaking.Run(new() { Source = _folder.Images, Destination = _folder.File("mask") }, detector).Done);
        using (var file = Formats.NpzFile.Open(_folder.File("mask", "anna.npz")))
        {
            var mask = file.ReadArray("arr_0");
            Assert.Equal([8L, 8], mask.Shape);
            for (var i = 0; i < 64; i++)                                        // the face is 16 to 40 by 20 to 52
                Assert.Equal(i % 8 is >= 2 and < 5 && i / 8 is >= 2 and < 6 ? 1 : 0.05f, mask.As<float>()[i]);
        }

        using (var file = Formats.NpzFile.Open(_folder.File("mask", "none.npz")))
            Assert.DoesNotContain(file.ReadArray("arr_0").As<float>().ToArray(), share => share != 0.05f);
        var masks = MaskMaking.Run(new() { Source = _folder.Images, Destination = _folder.File("png") }, new FaceMaskSource(detector, 10));
        Assert.Equal("nothing was found in it", Assert.Single(masks.Skipped).Reason);
        var picture = ImageFile.Load(_folder.File("png", "anna.png"));
        Assert.Equal((255, 10, 10), (picture.Row(20)[3 * 16], picture.Row(19)[3 * 16], picture.Row(20)[3 * 40]));
    }

    [Fact]
    public void Load_OfAnotherModel_NamesWhatItLacks()
    {
        var path = TinyTaggers.Wd().Save(_folder.File("tagger.onnx"));
        var error = Assert.Throws<InvalidFileException>(() => new YuNetOptions { Model = path }.Load());
        Assert.Contains("it lacks the outputs cls_8, obj_8", error.Fault, StringComparison.Ordinal);
        Assert.Contains("has scores", error.Fault, StringComparison.Ordinal);
        var wrong = new YuNetOptions { MinScore = 2, MaxOverlap = float.NaN, LongestSide = 5 };
        var options = Assert.Throws<InvalidOptionsException>(() => wrong.Load());
        Assert.Equal(["MinScore", "MaxOverlap", "LongestSide"], options.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    private sealed class Near : IEqualityComparer<(double, double, double, double)>
    {
        public bool Equals((double, double, double, double) a, (double, double, double, double) b) =>
            Math.Abs(a.Item1 - b.Item1) < 1e-3 && Math.Abs(a.Item2 - b.Item2) < 1e-3 && Math.Abs(a.Item3 - b.Item3) < 1e-3
                && Math.Abs(a.Item4 - b.Item4) < 1e-3;

        public int GetHashCode((double, double, double, double) place) => 0;
    }
}
