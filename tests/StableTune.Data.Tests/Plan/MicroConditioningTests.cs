using System.Text.Json;
using StableTune.Imaging;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Data.Tests.Plan;

/// <summary>The sizes that SDXL is told, against sd-scripts' <c>get_crop_ltrb</c>.</summary>
public sealed class MicroConditioningTests
{
    [Fact]
    public void Of_EveryImageAndBucket_IsTheReferences()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("data", "bucket_select.json")));
        var compared = 0;
        foreach (var row in json.RootElement.GetProperty("groups").EnumerateArray()
            .SelectMany(group => group.GetProperty("rows").EnumerateArray()))
        {
            // Rows with an error, or with a bucket that no picture can have.
            if (row.GetArrayLength() < 10 || row[2].GetInt32() == 0 || row[3].GetInt32() == 0) continue;
            var (image, bucket) = (new PixelSize(row[0].GetInt32(), row[1].GetInt32()),
                new PixelSize(row[2].GetInt32(), row[3].GetInt32()));
            var (left, top, right) = (row[9][0].GetDouble(), row[9][1].GetDouble(), row[9][2].GetDouble());
            Assert.Equal(new MicroConditioning(image, (int)left, (int)top, bucket), MicroConditioning.Of(image, bucket));
            Assert.Equal((int)(bucket.Width - right), MicroConditioning.Of(image, bucket, flipped: true).CropLeft);
            compared++;
        }

        Assert.True(compared > 5000, $"{compared} rows");
    }

    [Fact]
    public void Load_MirroredPictures_HaveTheirCropsMirrored()
    {
        using var folder = new TemporaryFolder();
        Pictures.Write(folder.File("a.png"), 60, 100);
        var options = new SubsetOptions { Augmentation = new AugmentationOptions { Flip = true }, Repeats = 16 };
        var dataset = new DatasetBuilder().AddFolder(folder.Path, options).WithResolution(64).WithBatchSize(16).Build();
        using var loader = new BatchLoader();
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)).ToList());
        Assert.Equal([false, true], batch.Draws.Select(draw => draw.Flipped).Distinct().Order());
        // 64 high it would be 38.4 wide: 12.8 are missing at either side, 12 of them counted at the left; mirrored, 13.6 remain.
        Assert.Equal(
            batch.Draws.Select(draw => new MicroConditioning(new PixelSize(60, 100), draw.Flipped ? 13 : 12, 0, new PixelSize(64, 64))),
                batch.Sizes);
    }
}
