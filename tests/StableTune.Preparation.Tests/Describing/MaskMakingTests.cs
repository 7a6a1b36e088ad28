using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing;

/// <summary>Masks of folders by a host's own source of masks.</summary>
public sealed class MaskMakingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    private MaskMakingOptions Options => new() { Source = _folder.Path, Destination = _out.Path, BatchSize = 2 };

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    [Fact]
    public void Run_WritesMasksThatALossReads()
    {
        for (var i = 0; i < 3; i++) Pictures.Write(_folder.File($"{i}.png"), 64, 64, seed: i);
        Assert.Equal("3 done.", MaskMaking.Run(Options, new LeftHalf()).ToString());
        var mask = ImageFile.Load(_out.File("2.png"));
        for (var x = 0; x < 64; x++) Assert.Equal(x < 32 ? [255, 255, 255] : new byte[3], mask.Row(9).Slice(3 * x, 3).ToArray());

        var dataset = new DatasetBuilder()
            .AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = _out.Path, Mask = LossMask.Conditioning, ClassTokens = "x" })
            .WithResolution(64).Build();
        using var loader = new BatchLoader();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using (batch)
            using (var columns = batch.Masks!.mean([0L, 1L, 2L]))              // [W/8]
                Assert.Equal([1, 1, 1, 1, 0, 0, 0, 0], columns.data<float>().ToArray());
        }
    }

    [Fact]
    public void Run_WithImagesThatGiveNone_ListsThemAndGoesOn()
    {
        Pictures.Write(_folder.File("a.png"), 8, 8);
        Pictures.Write(_folder.File("b.png"), 9, 8);
        Pictures.Write(_folder.File("c.png"), 10, 8);
        File.WriteAllText(_folder.File("d.png"), "nothing");
        File.Copy(_folder.File("a.png"), _folder.File("a.webp"));
        var report = MaskMaking.Run(Options, new LeftHalf());
        Assert.Equal(1, report.Done);
        Assert.Equal(["a.webp", "b.png", "c.png", "d.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal(["nothing was found in it", "the mask is 1x1, but the image 10x8"], report.Skipped.Skip(1).Take(2)
            .Select(file => file.Reason));

        File.WriteAllText(_out.File("a.png"), "mine");
        Assert.Contains("a.png", Assert.Throws<InvalidOptionsException>(() => MaskMaking.Run(Options, new LeftHalf())).Message);
        Assert.Contains(MaskMaking.Run(Options with { KeepExisting = true }, new LeftHalf()).Skipped, file =>
            file.Path == _out.File("a.png"));
        Assert.Equal("mine", File.ReadAllText(_out.File("a.png")));
        Assert.Equal(1, MaskMaking.Run(Options with { Overwrite = true }, new LeftHalf()).Done);
    }

    [Fact]
    public void Run_WithOptionsThatCannotWork_ListsThem()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            MaskMaking.Run(new() { Source = _folder.Path, Destination = _folder.Path, BatchSize = 0, Workers = -1 }, new LeftHalf()));
        Assert.Equal(["Destination", "BatchSize", "Workers"], error.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    /// <summary>
    /// White in the left half of the red channel; green and blue are noise. Nothing for images 9 wide, and a wrong size for those 10 wide.
    /// </summary>
    private sealed class LeftHalf : IMaskSource
    {
        public IReadOnlyList<PixelImage?> Masks(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) =>
            [.. images.Select(Mask)];

        private static PixelImage? Mask(PixelImage image)
        {
            if (image.Width is 9 or 10) return image.Width == 9 ? null : new PixelImage(1, 1);
            var mask = new PixelImage(image.Width, image.Height, 4);
            for (var y = 0; y < image.Height; y++)
                for (var x = 0; x < image.Width; x++)
                    (mask.Row(y)[4 * x], mask.Row(y)[(4 * x) + 1]) = ((byte)(2 * x < image.Width ? 255 : 0), 77);
            return mask;
        }
    }
}
