using System.Runtime.InteropServices;
using System.Text.Json;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Augmentation;

/// <summary>What changes from draw to draw, through the loader.</summary>
public sealed class AugmentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Flip_MirrorsHalfOfTheDraws_TheSameInEveryRun()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        var dataset = Build(new() { Flip = true }, repeats: 200);
        using var upright = Pixels(Build(new()), out _);
        var plain = Row(upright, 0);
        var flipped = 0;
        var first = Draws(dataset, (batch, pixels, draw) =>
        {
            Assert.Equal(draw.Flipped ? [.. plain.Reverse()] : plain, pixels);
            if (draw.Flipped) flipped++;
            return draw.Flipped;
        });
        Assert.InRange(flipped, 70, 130);
        Assert.Equal(first, Draws(dataset, (_, _, draw) => draw.Flipped));
    }

    [Fact]
    public void RandomCrop_CutsEveryPlace_AndTheDrawSaysWhere()
    {
        Pictures.Write(_folder.File("a.png"), 72, 64);
        var dataset = Build(new() { RandomCrop = true }, repeats: 100);
        var places = Draws(dataset, (_, pixels, draw) =>
        {
            Assert.Equal(((Pictures.Red(draw.Framing.Left, 0) / 255f) - 0.5f) / 0.5f, pixels[0]);
            Assert.Equal(0, draw.Framing.Top);
            return draw.Framing.Left;
        });
        Assert.Equal(Enumerable.Range(0, 9), places.Distinct().Order());
    }

    [Fact]
    public void FaceCrop_OfTheReferencesCases_GivesItsPixels()
    {
        var cases = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement.GetProperty("face_crop")
            .EnumerateArray().ToList();
        using var golden = StableTune.Formats.SafetensorsFile.Open(Fixtures.Path("data", "image_cases.safetensors"));
        Assert.NotEmpty(cases);
        Assert.All(cases, item =>
        {
            var (name, range) = (item.GetProperty("image").GetString()!, item.GetProperty("face_crop_aug_range"));
            var dataset = new DatasetBuilder()
                .Add(new OneImage(Fixtures.Path("data", "images", name)),
                new() { Augmentation = new() { FaceCrop = (range[0].GetDouble(), range[1].GetDouble()) } })
                .WithResolution(item.GetProperty("width").GetInt32(), item.GetProperty("height").GetInt32()).Build();
            var image = ImagePreparation.Load(
                dataset.Samples[0], ImageDraw.Choose(dataset.Samples[0], EpochPlan.Create(dataset, new NamedSeeds(1), 1), 0));
            Assert.True(golden.Span(item.GetProperty("tensor").GetString()!).SequenceEqual(image.Pixels), $"{item}");
        });
    }

    [Fact]
    public void FaceCrop_WithARange_VariesAndStaysInside()
    {
        Pictures.Write(_folder.File("a_50_40_40_41.png"), 200, 160);
        var dataset = Build(new() { FaceCrop = (1, 4), RandomCrop = true }, repeats: 100);
        var framings = Draws(dataset, (_, _, draw) => draw.Framing);
        Assert.True(framings.Distinct().Count() > 50);
        Assert.All(framings, framing =>
            Assert.True(framing.Left >= 0 && framing.Top >= 0 && framing.Left + 64 <= framing.Resized.Width
            && framing.Top + 64 <= framing.Resized.Height));
    }

    [Theory]
    [InlineData("Color")]
    [InlineData("Brightness")]
    [InlineData("Contrast")]
    [InlineData("Saturation")]
    [InlineData("Rotation")]
    public void EachChange_ChangesSomeDraws_KeepsTheRange_AndIsTheSameInEveryRun(string option)
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        AugmentationOptions options = option switch
        {
            "Color" => new() { Color = ColorAugmentation.Weak },
            "Brightness" => new() { Brightness = 0.3 },
            "Contrast" => new() { Contrast = 0.3 },
            "Saturation" => new() { Saturation = 0.5 },
            _ => new() { Rotation = 10 },
        };
        using var plain = Pixels(Build(new()), out _);
        var dataset = Build(options, repeats: 40);
        var sums = Draws(dataset, (_, _, _) => 0, out var pixels);
        var different = pixels.Count(image => !image.SequenceEqual(Row(plain, 0, all: true)));
        Assert.InRange(different, option == "Color" ? 4 : 36, option == "Color" ? 30 : 40);
        Assert.All(pixels, image => Assert.True(image.Max() <= 1 && image.Min() >= -1));
        _ = Draws(dataset, (_, _, _) => 0, out var again);
        Assert.Equal(pixels.Select(image => image.Sum()), again.Select(image => image.Sum()));
        Assert.Contains(option, Assert.Single(LatentCache.Validate(dataset)).Option, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_OfWhatCannotWork_NamesEveryOption()
    {
        var problems = new SubsetOptions
        {
            Augmentation = new() { Color = (ColorAugmentation)7, FaceCrop = (3, 2), Brightness = -1, Contrast = 2, Saturation = double.NaN,
                Rotation = 200, CircularMask = (0, 2) },
            Mask = LossMask.Conditioning,
        }.Validate().Select(problem => problem.Option.Split('.')[^1]);
        Assert.Equal(["Color", "FaceCrop", "Brightness", "Contrast", "Saturation", "Rotation", "CircularMask", "Mask"], problems);
    }

    [Fact]
    public void Build_WithFaceCropAndBuckets_IsRefused()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { FaceCrop = (2, 4) } })
            .WithResolution(64).WithBuckets(new() { MinSide = 64, MaxSide = 64 }).Build());
        Assert.Equal("AugmentationOptions.FaceCrop", Assert.Single(error.Problems).Option);
    }

    private TrainingDataset Build(AugmentationOptions options, int repeats = 1) =>
        new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Augmentation = options, Repeats = repeats }).WithResolution(64)
            .WithBatchSize(16).Build();

    private static Tensor Pixels(TrainingDataset dataset, out SampleDraw draw)
    {
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)).First();
        draw = batch.Draws[0];
        return batch.Pixels!.clone().DetachFromDisposeScope();
    }

    private static List<T> Draws<T>(TrainingDataset dataset, Func<Batch, float[], SampleDraw, T> look) => Draws(dataset, look, out _);

    private static List<T> Draws<T>(TrainingDataset dataset, Func<Batch, float[], SampleDraw, T> look, out List<float[]> pixels)
    {
        using var loader = new BatchLoader(new() { Workers = 2 });
        (var seen, pixels) = (new List<T>(), []);
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using (batch)
                for (var i = 0; i < batch.Count; i++)
                {
                    seen.Add(look(batch, Row(batch.Pixels!, i), batch.Draws[i]));
                    pixels.Add(Row(batch.Pixels!, i, all: true));
                }
        }

        return seen;
    }

    /// <summary>The first row of the red channel, or all values.</summary>
    private static float[] Row(Tensor pixels, int index, bool all = false)
    {
        var values = MemoryMarshal.Cast<byte, float>(pixels.bytes);
        var length = values.Length / (int)pixels.shape[0];
        return values.Slice(index * length, all ? length : (int)pixels.shape[3]).ToArray();
    }

    private sealed class OneImage(string path) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => [new DatasetItem(path, "")];
    }
}
