using StableTune.Models;

namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Masks by networks as rembg and CLIPSeg have them.</summary>
public sealed class MaskSourceTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>White on the left, black on the right.</summary>
    private static PixelImage Halves(int width, int height)
    {
        var image = new PixelImage(width, height);
        for (var y = 0; y < height; y++) image.Row(y)[..(3 * width / 2)].Fill(255);
        return image;
    }

    private static int Red(PixelImage mask, int x, int y) => mask.Row(y)[3 * x];

    [Theory]
    [InlineData(8, 0)]
    [InlineData(16, 2)]
    [InlineData(0, 0)]
    public void Foreground_MasksWhatIsInFront_InTheSizeOfTheImage(int side, int batch)
    {
        var model = TinyMaskers.Foreground(side, batch).Save(_folder.File("u2net.onnx"));
        using var source = new ForegroundMaskOptions { Model = model }.Load();
        var masks = source.Masks([Halves(64, 32), new PixelImage(10, 20), Halves(40, 40)], default);
        Assert.Equal(new PixelSize(64, 32), masks[0]!.Size);
        Assert.Equal((255, 255, 0), (Red(masks[0]!, 2, 16), Red(masks[0]!, 20, 5), Red(masks[0]!, 61, 30)));
        Assert.InRange(Red(masks[0]!, 54, 16), 0, 5);                           // Lanczos rings behind an edge, by 2 % at most there
        Assert.Null(masks[1]);                                                  // nothing stands out
        Assert.Equal(new PixelSize(40, 40), masks[2]!.Size);
        Assert.Empty(source.Masks([], default));

        using var hard = new ForegroundMaskOptions { Model = model, Threshold = 0.5f, Scaling = PictureScaling.Centered }.Load();
        Assert.DoesNotContain(hard.Masks([Halves(64, 32)], default)[0]!.Pixels, value => value is not (0 or 255));
    }

    /// <summary>Half a picture of a grey that ImageNet's means leave above zero, and a mean of one half below.</summary>
    [Theory]
    [InlineData(1024, false, null, true)]                                      // as BiRefNet
    [InlineData(1024, true, null, false)]                                      // as IS-Net
    [InlineData(1024, true, PictureScaling.ImageNet, true)]
    [InlineData(16, true, null, true)]                                         // as U2-Net
    [InlineData(16, true, PictureScaling.Centered, false)]
    public void Foreground_ScalesAsTheNetworkWantsIt(int side, bool sigmoid, PictureScaling? scaling, bool found)
    {
        var model = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 3, side, side);
        var logits = model.Node("Conv", [model.Node("Relu", ["x"]), model.Weights([1f, 1, 1], 1, 3, 1, 1)], sigmoid ? null : "y");
        if (sigmoid) model.Node("Sigmoid", [logits], "y");
        var path = model.Output("y", OnnxType.Float, 0, 1, side, side).Save(_folder.File("front.onnx"));
        var image = new PixelImage(side, side);
        for (var y = 0; y < side; y++) image.Row(y)[..(3 * side / 2)].Fill(126);
        using var source = new ForegroundMaskOptions { Model = path, Scaling = scaling }.Load();
        Assert.Equal(found, source.Masks([image], default)[0] is not null);
    }

    [Fact]
    public void Foreground_WritesMasksThatALossReads()
    {
        _folder.Write("a.png", Halves(64, 64));
        File.WriteAllText(Path.Combine(_folder.Images, "b.png"), "nothing");
        using var source = new ForegroundMaskOptions { Model = TinyMaskers.Foreground().Save(_folder.File("u2net.onnx")) }.Load();
        var report = MaskMaking.Run(new() { Source = _folder.Images, Destination = _folder.File("masks"), BatchSize = 4 }, source);
        Assert.Equal((1, 1), (report.Done, report.Skipped.Count));
        Assert.Equal(255, Red(ImageFile.Load(_folder.File("masks", "a.png")), 5, 5));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(77)]
    public void ClipSeg_MasksWhatWordsName(int length)
    {
        var bright = ClipTokenizer.Sd1().EncodeBody("light")[0];
        var model = TinyMaskers.ClipSeg(bright, length).Save(_folder.File("clipseg.onnx"));
        var image = Halves(32, 24);
        foreach (var (prompts, left, right) in new (string[], int, int)[]
        {
            (["light of day"], 255, 0), (["shadow"], 0, 255), (["shadow", "light"], 255, 255),
        })
        {
            using var source = new ClipSegOptions { Model = model, Prompts = prompts }.Load();
            var masks = source.Masks([image, image], default);
            Assert.Equal((left, right), (Red(masks[1]!, 3, 12), Red(masks[1]!, 28, 12)));
            Assert.Equal(image.Size, masks[0]!.Size);
        }

        using var nothing = new ClipSegOptions { Model = model, Prompts = ["light"] }.Load();
        Assert.Null(nothing.Masks([new PixelImage(9, 9)], default)[0]);
        using var soft = new ClipSegOptions { Model = model, Prompts = ["light"], Threshold = null }.Load();
        Assert.NotNull(soft.Masks([new PixelImage(9, 9)], default)[0]);
    }

    [Fact]
    public void Load_OfWhatCannotWork_SaysWhy()
    {
        var tagger = TinyTaggers.Wd().Save(_folder.File("tagger.onnx"));
        Assert.Contains("no CLIPSeg", Assert.Throws<InvalidFileException>(() =>
            new ClipSegOptions { Model = tagger, Prompts = ["a"] }.Load()).Fault, StringComparison.Ordinal);
        Assert.Equal(["Model", "Prompts", "Threshold"], Problems(() => new ClipSegOptions { Prompts = [" "], Threshold = 2 }.Load()));
        Assert.Equal(["Prompts"], Problems(() => new ClipSegOptions { Model = tagger, Prompts = [string.Join(' ',
            Enumerable.Repeat("very long", 60))] }.Load()));
        Assert.Equal(["Threshold", "Scaling"], Problems(() => new ForegroundMaskOptions { Model = tagger, Threshold = -1,
            Scaling = (PictureScaling)9 }.Load()));
        using var source = new ForegroundMaskOptions { Model = tagger }.Load();
        Assert.Contains("no mask", Assert.Throws<InvalidOperationException>(() => source.Masks([new PixelImage(8, 8)], default)).Message,
            StringComparison.Ordinal);

        static IEnumerable<string> Problems(Action load) =>
            Assert.Throws<InvalidOptionsException>(load).Problems.Select(problem => problem.Option.Split('.')[^1]);
    }
}
