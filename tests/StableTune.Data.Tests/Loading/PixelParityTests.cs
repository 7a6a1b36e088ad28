using System.Runtime.InteropServices;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Files of every kind, through data set and loader, against the pixels that the reference trains on.</summary>
public sealed class PixelParityTests
{
    private static readonly JsonElement s_cases =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement.GetProperty("cases");

    public static TheoryData<string> Cases() =>
        [.. s_cases.EnumerateArray().Where(IsPlaced).Select(c => c.GetProperty("id").GetString()!)];

    [Fact]
    public void Cases_AreAllTested_AndWhatCannotBePlacedIsRefused()
    {
        Assert.Equal((64, 62), (s_cases.GetArrayLength(), Cases().Count));
        Assert.All(s_cases.EnumerateArray().Where(c => !IsPlaced(c)), c =>
            Assert.Equal("DatasetItem.Path", Assert.Single(Assert.Throws<InvalidOptionsException>(() => Build(c)).Problems).Option));
    }

    /// <summary>Without enlarging the reference gives narrow images a size of 0, and fails on them later.</summary>
    private static bool IsPlaced(JsonElement item) => item.TryGetProperty("bucket_reso", out var size) && size[0].GetInt32() > 0
        && size[1].GetInt32() > 0;

    private static TrainingDataset Build(JsonElement item)
    {
        var settings = item.GetProperty("bucket_settings");
        int Number(string name) => settings.GetProperty(name).GetInt32();
        return new DatasetBuilder()
            .Add(new One(new DatasetItem(Fixtures.Path("data", "images", item.GetProperty("image").GetString()!), ""))).WithOptions(new()
        {
            Resolution = Size(settings.GetProperty("max_reso")), ApplyExifOrientation = false, ClipSixteenBitGray = true,
            Bucketing = new AspectBuckets { MinSide = Number("min_size"), MaxSide = Number("max_size"), Step = Number("reso_steps"),
                NoUpscale = settings.GetProperty("no_upscale").GetBoolean() },
        }).Build();
    }

    private static PixelSize Size(JsonElement pair) => new(pair[0].GetInt32(), pair[1].GetInt32());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Pixels_AreTheReferences(string id)
    {
        var expected = s_cases.EnumerateArray().Single(c => c.GetProperty("id").GetString() == id);
        var name = expected.GetProperty("image").GetString()!;
        var dataset = Build(expected);
        var sample = Assert.Single(dataset.Samples);
        Assert.Equal((Size(expected.GetProperty("original_size")), Size(expected.GetProperty("resized_size")),
            Size(expected.GetProperty("bucket_reso"))),
            (sample.ImageSize, sample.Framing.Resized, sample.Framing.Size));
        Assert.Equal(expected.GetProperty("aspect_error").GetDouble(), sample.Framing.Size.AspectRatio - sample.ImageSize.AspectRatio,
            1e-12);
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)));
        var (width, height) = (batch.Size.Width, batch.Size.Height);
        var found = MemoryMarshal.Cast<byte, float>(batch.Pixels!.bytes);                                  // [3, H, W]

        using var golden = SafetensorsFile.Open(Fixtures.Path("data", "image_cases.safetensors"));
        var wanted = golden.Span(expected.GetProperty("tensor").GetString()!);                             // [H, W, 3]
        Assert.Equal(found.Length, wanted.Length);
        // Levels of 255, from the fixtures' README: decoders of lossy formats differ by up to 2, resizing by 2 more.
        var lossy = name.EndsWith(".jpg") || name == "webp_lossy.webp";
        var (most, sum) = (0.0, 0.0);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                for (var c = 0; c < 3; c++)
                {
                    var difference =
                        Math.Abs(((found[(((c * height) + y) * width) + x] + 1) * 127.5) - wanted[(((y * width) + x) * 3) + c]);
                    (most, sum) = (Math.Max(most, difference), sum + difference);
                }

        Assert.True(most <= (lossy ? 4.001 : 2.001), $"largest difference {most} levels");
        Assert.True(sum / found.Length < (lossy ? 1.1 : 0.5), $"mean difference {sum / found.Length} levels");
    }

    [Theory]
    [InlineData("jpeg_exif3.jpg")]
    [InlineData("jpeg_exif6.jpg")]
    [InlineData("jpeg_exif8.jpg")]
    public void Photographs_AreTurned_TheSizeOfTheHeaderAgreesWithThePixels(string name)
    {
        var dataset = new DatasetBuilder().Add(new One(new DatasetItem(Fixtures.Path("data", "images", name), ""))).WithResolution(48, 64)
            .Build();
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)));
        Assert.Equal([1, 3, 64, 48], batch.Pixels!.shape);
    }

    [Fact]
    public void Interpolation_OfTheSubset_GoesBeforeThatOfTheDataSet()
    {
        byte[] Pixels(Interpolation? dataset, Interpolation? subset)
        {
            var built = new DatasetBuilder().Add(new One(new DatasetItem(Fixtures.Path("data", "images", "png_rgb.png"), "")),
                new() { Interpolation = subset })
                .WithOptions(new() { Resolution = new(64, 64), Interpolation = dataset }).Build();
            using var loader = new BatchLoader(new() { Workers = 0 });
            using var batch = Assert.Single(loader.Load(EpochPlan.Create(built, new NamedSeeds(1), 1)));
            return batch.Pixels!.bytes.ToArray();
        }

        Assert.Equal(Pixels(Interpolation.Nearest, null), Pixels(Interpolation.Bicubic, Interpolation.Nearest));
        Assert.Equal(Pixels(Interpolation.Bicubic, null), Pixels(null, Interpolation.Bicubic));
        Assert.NotEqual(Pixels(Interpolation.Nearest, null), Pixels(Interpolation.Bicubic, null));
    }

    [Fact]
    public void FastDecoding_ChangesPixelsALittle_ButNoSizes()
    {
        using var scope = NewDisposeScope();
        // 170 x 120 pixels, wanted at less than half of that.
        var builder = new DatasetBuilder().Add(new One(new DatasetItem(Fixtures.Path("data", "images", "jpeg_444.jpg"), "")))
            .WithResolution(64, 48);
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var exact = Assert.Single(loader.Load(EpochPlan.Create(builder.Build(), new NamedSeeds(1), 1)));
        using var fast =
            Assert.Single(loader.Load(EpochPlan.Create(builder.WithOptions(builder.Plan.Options with { FastDecoding = true }).Build(),
            new NamedSeeds(1), 1)));
        Assert.Equal((exact.Size, exact.Draws[0], exact.Sizes[0]), (fast.Size, fast.Draws[0], fast.Sizes[0]));
        Assert.InRange((exact.Pixels! - fast.Pixels!).abs().mean().ToSingle() * 127.5, 0.01, 5);
    }

    private sealed class One(DatasetItem item) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => [item];
    }
}
