using StableTune.Data;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Caches of a run: what is found need not be computed, and what computes it need not be there.</summary>
public sealed class CacheRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SecondRun_NeitherLoadsVaeNorTextEncoder_AndLearnsTheSame(bool own)
    {
        var options = new CacheOptions { LatentsToDisk = true, TextEncoderOutputsToDisk = true,
            Directory = own ? _folder.File("cache") : null };
        var held = TinyRun.HeldBefore();
        var first = TinyRun.Builder(_folder, "first").WithCache(_ => options).Train();
        var plain = TinyRun.Builder(_folder, "plain").Train();
        Assert.Equal(plain.Losses, first.Losses);

        var stages = new List<string>();
        var second = TinyRun.Builder(_folder, "second").WithCache(_ => options).Train(new Stages(stages));
        Assert.Equal(first.Losses, second.Losses);
        Assert.Equal(TinyRun.Weights(first.Files[^1]), TinyRun.Weights(second.Files[^1]));
        Assert.DoesNotContain("caching latents", stages);
        Assert.DoesNotContain("caching text encoder outputs", stages);
        Assert.Equal(held, TinyRun.HeldTensors);
    }

    [Fact]
    public void SecondRun_ThatLoadsNoTextEncoder_StillNamesCaptionsThatAreCut()
    {
        var longest = Path.Combine(TinyRun.Images(_folder), "1.caption");
        File.WriteAllText(longest, string.Join(", ", Enumerable.Repeat("a frog", 40)));
        for (var run = 1; run <= 2; run++)
        {
            var logger = new ListLogger();
            TinyRun.Builder(_folder, $"run {run}").WithCachedTextEncoderOutputs(toDisk: true).For(TrainingLength.Steps(1))
                .WithLogger(logger).Train();
            var warning = Assert.Single(logger.Entries, entry =>
                entry.Text.Contains("TrainingPlan.MaxTokenLength", StringComparison.Ordinal));
            Assert.Contains("1 captions are longer", warning.Text, StringComparison.Ordinal);
            Assert.Contains(Path.ChangeExtension(longest, ".png"), warning.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void SecondRun_WorksWithoutWeightsOfTheVae()
    {
        var options = new CacheOptions { LatentsToDisk = true, TextEncoderOutputsToDisk = true, SkipCheck = true };
        var first = TinyRun.Builder(_folder, "first").WithCache(_ => options).Train();
        // The header says enough to know the VAE again; whoever runs it finds numbers that are none.
        var weights = Path.Combine(SmallRun.Model(_folder), "vae", "diffusion_pytorch_model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        int place;
        using (var file = Formats.SafetensorsFile.Open(weights)) place = (int)file.DataOffset;
        bytes.AsSpan(place).Fill(0xFF);
        File.WriteAllBytes(weights, bytes);
        Assert.Equal(first.Losses, TinyRun.Builder(_folder, "second").WithCache(_ => options).Train().Losses);
        Assert.ThrowsAny<Exception>(() => TinyRun.Builder(_folder, "third").Train());
    }

    [Fact]
    public void PicturesOfTheHost_AreTrained_WithCachesOnDisk()
    {
        var place = Directory.GetCurrentDirectory();
        string[] before = Directory.GetFileSystemEntries(place);
        var images = TinyRun.Images(_folder);
        var options = new CacheOptions { LatentsToDisk = true, TextEncoderOutputsToDisk = true, Directory = _folder.File("cache") };
        DatasetBuilder Pictures(bool files)
        {
            var paths = Directory.GetFiles(images, "*.png").Order(StringComparer.Ordinal);
            return new DatasetBuilder().WithResolution(64).WithBatchSize(2)
                .AddImages(paths.Select(path =>
                    files ? new DatasetItem(path, "frog") : new DatasetItem(HostImage.FromBytes(path, File.ReadAllBytes(path)), "frog")));
        }

        var (first, second) = (Train("first", Pictures(files: false)), Train("second", Pictures(files: false)));
        Assert.Equal(first, second);
        Assert.Equal(Train("files", Pictures(files: true)), first);
        Assert.Equal(before, Directory.GetFileSystemEntries(place));

        IReadOnlyList<double> Train(string name, DatasetBuilder dataset) =>
            TinyRun.Bare(_folder, name).WithDataset(dataset).WithCache(_ => options).Train().Losses;
    }

    [Fact]
    public void SecondRun_ThatShallSkipBadImages_ReadsNoneThatIsCached()
    {
        var images = TinyRun.Images(_folder);
        var bad = Path.Combine(images, "bad.png");
        File.WriteAllBytes(bad, File.ReadAllBytes(Path.Combine(images, "0.png"))[..60]);
        int Decoded(string name, out TrainingResult result)
        {
            var codec = new CountingCodec();
            var options = new DatasetOptions { Resolution = new(64, 64), BatchSize = 2, OnBadImage = BadImagePolicy.Skip,
                ValidationSplit = 0.3, Codec = codec };
            result = TinyRun.Bare(_folder, name).WithDataset(new DatasetBuilder().AddFolder(images).WithOptions(options))
                .WithCachedLatents(toDisk: true).Train();
            return codec.Decoded;
        }

        Assert.True(Decoded("first", out var first) >= 8);                     // looked at, then encoded
        Assert.Contains(first.Warnings, warning => warning.Contains(bad, StringComparison.Ordinal));
        File.Delete(bad);
        Assert.Equal(0, Decoded("second", out var second));
        Assert.Equal(first.Losses, second.Losses);
        Assert.Equal(TinyRun.Weights(first.Files[0]), TinyRun.Weights(second.Files[0]));
    }

    [Fact]
    public void AnotherVae_MakesLatentsAgain_AndSaysSo()
    {
        TinyRun.Builder(_folder, "first").WithCachedLatents(true, toDisk: true).Train();
        var weights = Path.Combine(SmallRun.Model(_folder), "vae", "diffusion_pytorch_model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        int place;
        using (var file = Formats.SafetensorsFile.Open(weights)) place = (int)(file.DataOffset + file["encoder.conv_in.weight"].Begin);
        bytes[place] ^= 1;
        File.WriteAllBytes(weights, bytes);
        var (logger, stages) = (new ListLogger(), new List<string>());
        TinyRun.Builder(_folder, "second").WithCachedLatents(true, toDisk: true).WithLogger(logger).Train(new Stages(stages));
        Assert.Contains("caching latents", stages);
        Assert.Contains(logger.Entries, entry => entry.Text.Contains("another VAE made it", StringComparison.Ordinal));
    }

    [Fact]
    public void Latents_AreCachedByThemselves_WhereAugmentationsAllow()
    {
        var images = TinyRun.Images(_folder);
        var stages = new List<string>();
        TinyRun.Bare(_folder, "color").WithDataset(Dataset(new() { Augmentation = new() { RandomCrop = true } }))
            .Train(new Stages(stages));
        Assert.DoesNotContain("caching latents", stages);
        Assert.Equal("False", TinyRun.Metadata(TinyRun.Output(_folder, "color"))["ss_cache_latents"]);
        TinyRun.Bare(_folder, "plain").WithDataset(Dataset(new())).Train(new Stages(stages));
        Assert.Contains("caching latents", stages);
        Assert.Equal("True", TinyRun.Metadata(TinyRun.Output(_folder, "plain"))["ss_cache_latents"]);
        var error = Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Bare(_folder).WithDataset(Dataset(new() { Augmentation = new() { RandomCrop = true } })).WithCachedLatents()
            .Build());
        Assert.Equal("AugmentationOptions.RandomCrop", Assert.Single(error.Problems).Option);

        DatasetBuilder Dataset(SubsetOptions options) =>
            new DatasetBuilder().AddFolder(images, options).WithResolution(64).WithBatchSize(2);
    }

    [Fact]
    public void Masks_ChangeTheLoss_CachedOrNot()
    {
        var images = _folder.Folder("masked");
        var picture = new Imaging.PixelImage(64, 64, 4);
        for (var i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)(i % 4 == 3 ? i / 4 % 64 < 32 ? 0 : 255 : i * 7);
        Imaging.ImageFile.SavePng(Path.Combine(images, "a.png"), picture);
        double Loss(LossMask mask, bool? cached) =>
            TinyRun.Bare(_folder, $"{mask}{cached}").WithCachedLatents(cached).For(TrainingLength.Steps(1))
            .WithDataset(new DatasetBuilder().AddFolder(images, new SubsetOptions { Mask = mask }).WithResolution(64)).Train().Losses[0];
        foreach (var cached in new[] { true, false })
            // half of the places count nothing
            Assert.InRange(Loss(LossMask.Alpha, cached) / Loss(LossMask.None, cached), 0.35, 0.65);
    }

    [Fact]
    public void Multiplier_OfADataset_ActsOnItsBatches()
    {
        float[] Train(string name, double multiplier)
        {
            var options = new DatasetOptions { Resolution = new(64, 64), NetworkMultiplier = multiplier };
            TinyRun.Bare(_folder, name).WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder)).WithOptions(options))
                .For(TrainingLength.Steps(4)).Train();
            return TinyRun.Weights(TinyRun.Output(_folder, name));
        }

        var (plain, opposite, none) = (Train("plain", 1), Train("opposite", -1), Train("none", 0));
        Assert.NotEqual(plain, opposite);
        // A LoRA that does not act gets no gradient: its up matrices stay 0, as they began.
        using var file = Formats.SafetensorsFile.Open(TinyRun.Output(_folder, "none"));
        Assert.All(file.Tensors.Where(tensor => tensor.Name.EndsWith("lora_up.weight", StringComparison.Ordinal)), tensor =>
            Assert.All(file.Span(tensor.Name).ToArray(), value => Assert.Equal(0, value & 0x7F)));
        Assert.Equal(plain.Length, none.Length);
    }

    [Fact]
    public void ImagesThatAreGone_NeedLatentsInFiles()
    {
        TinyRun.Builder(_folder, "first").WithCachedLatents(toDisk: true).Train();
        var images = TinyRun.Images(_folder);
        foreach (var image in Directory.GetFiles(images, "*.png")) File.Delete(image);
        var builder = TinyRun.Bare(_folder, "second");
        foreach (var image in Directory.GetFiles(images, "*.png")) File.Delete(image);
        builder = builder.WithDataset(new DatasetBuilder().Add(new FolderSource(images) { TakeCached = true }).WithResolution(64)
            .WithBatchSize(2));
        Assert.Equal("CacheOptions.LatentsToDisk",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems).Option);
        Assert.Equal("CacheOptions.Latents",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.WithCachedLatents(false).Build()).Problems).Option);
        Assert.Equal(3, builder.WithCachedLatents(toDisk: true).Train().Steps);
    }

    private sealed class CountingCodec : Imaging.IImageCodec
    {
        private int _decoded;

        public int Decoded => _decoded;

        public IReadOnlyCollection<Imaging.ImageFormat> Formats => Imaging.SkiaCodec.Instance.Formats;

        public Imaging.PixelImage Decode(ReadOnlySpan<byte> file, Imaging.ImageHeader header, bool keepAlpha)
        {
            Interlocked.Increment(ref _decoded);
            return Imaging.SkiaCodec.Instance.Decode(file, header, keepAlpha);
        }

        public byte[] Encode(Imaging.PixelImage image, Imaging.ImageFormat format, int quality) =>
            Imaging.SkiaCodec.Instance.Encode(image, format, quality);
    }

    private sealed class Stages(List<string> names) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            lock (names) names.Add(value.Stage());
        }
    }
}
