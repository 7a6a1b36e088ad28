using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing;

/// <summary>Features of folders by a host's own source of them.</summary>
public sealed class FeatureMakingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    private FeatureMakingOptions Options => new() { Source = _folder.Path, Destination = _out.Path, BatchSize = 2 };

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    [Fact]
    public void Run_WritesFilesThatPfgReads()
    {
        for (var i = 0; i < 3; i++) Pictures.Write(_folder.File($"{i}.png"), 64 + i, 64, seed: i);
        Assert.Equal("3 done.", FeatureMaking.Run(Options, new Sizes()).ToString());
        for (var i = 0; i < 3; i++) Assert.Equal([64f + i, 64], PromptFreeFeatures.Read(_out.File($"{i}.npz")));
        var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { PromptFreeFolder = _out.Path, ClassTokens = "x" })
            .WithResolution(64).Build();
        Assert.All(dataset.Samples, sample => Assert.Equal(Path.ChangeExtension(Path.GetFileName(sample.Path), ".npz"),
            Path.GetFileName(sample.Item.PromptFreePath)));
    }

    [Fact]
    public void Run_WithImagesThatGiveNone_ListsThemAndGoesOn()
    {
        Pictures.Write(_folder.File("a.png"), 8, 8);
        Pictures.Write(_folder.File("b.png"), 9, 8);
        File.WriteAllText(_folder.File("c.png"), "nothing");
        File.Copy(_folder.File("a.png"), _folder.File("a.webp"));
        var report = FeatureMaking.Run(Options, new Sizes());
        Assert.Equal(1, report.Done);
        Assert.Equal(["a.webp", "b.png", "c.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal("its features are no finite numbers", report.Skipped[1].Reason);
    }

    [Fact]
    public void Run_WithAnotherNumberOfFeatures_Ends()
    {
        Pictures.Write(_folder.File("a.png"), 8, 8);
        Pictures.Write(_folder.File("b.png"), 10, 8);
        Assert.Contains("b.npz: the source gave 1 features, and 2", Assert.Throws<InvalidOperationException>(() =>
            FeatureMaking.Run(Options, new Sizes())).Message, StringComparison.Ordinal);
    }

    /// <summary>Width and height; not-a-number for images 9 wide, and only the width for those 10 wide.</summary>
    private sealed class Sizes : IFeatureSource
    {
        public IReadOnlyList<float[]> Features(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) =>
            [.. images.Select(image => image.Width == 10 ? new float[] { 10 }
                : [image.Width == 9 ? float.NaN : image.Width, image.Height])];
    }
}
