using System.Text.Json;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Buckets;

/// <summary>Bucket sizes and their choice against sd-scripts (tests/fixtures/data/bucket_resolutions.json, bucket_select.json).</summary>
public sealed class AspectBucketsTests
{
    private static readonly JsonElement s_sizes = Read("bucket_resolutions.json");
    private static readonly JsonElement s_choices = Read("bucket_select.json");

    public static TheoryData<int> Groups => [.. Enumerable.Range(0, s_choices.GetProperty("groups").GetArrayLength())];

    [Fact]
    public void Sizes_OfEveryCase_AreTheReferences()
    {
        var cases = s_sizes.GetProperty("cases").EnumerateArray().ToList();
        Assert.Equal(729, cases.Count);
        Assert.All(cases, row =>
        {
            var sizes = AspectBuckets.Sizes(Size(row[0]), row[1].GetInt32(), row[2].GetInt32(), row[3].GetInt32());
            Assert.Equal(row[4].EnumerateArray().Select(Size), sizes);
        });
    }

    [Fact]
    public void Sides_ThatAreNoMultiples_AreRoundedAsInTheReference_OrRefused()
    {
        Assert.Equal(9, s_sizes.GetProperty("adjust_min_max_by_steps").GetArrayLength());
        Assert.All(s_sizes.GetProperty("adjust_min_max_by_steps").EnumerateArray(), row =>
        {
            var resolution = Size(row.GetProperty("resolution"));
            var buckets = new AspectBuckets
            {
                MinSide = row.GetProperty("min_bucket_reso").GetInt32(), MaxSide = row.GetProperty("max_bucket_reso").GetInt32(),
                Step = row.GetProperty("bucket_reso_steps").GetInt32(),
            };
            // The reference lets a shortest side of 0 pass, and then has no use for it.
            if (!row.TryGetProperty("value", out var sides) || sides[0].GetInt32() == 0)
            {
                Assert.NotEmpty(buckets.Validate(resolution));
                return;
            }

            Assert.Empty(buckets.Validate(resolution));
            var exact = buckets with { MinSide = sides[0].GetInt32(), MaxSide = sides[1].GetInt32() };
            Assert.Equal(exact.Sizes(resolution), buckets.Sizes(resolution));
            Assert.Empty(exact.Warnings(resolution));
            Assert.Equal((exact.MinSide == buckets.MinSide ? 0 : 1) + (exact.MaxSide == buckets.MaxSide ? 0 : 1),
                buckets.Warnings(resolution).Count());
        });
    }

    [Fact]
    public void BucketManager_OfEveryCase_HasTheReferencesSizes_OrIsRefused()
    {
        var cases = s_sizes.GetProperty("bucket_manager").EnumerateArray().ToList();
        Assert.Equal(6, cases.Count);
        Assert.All(cases, row =>
        {
            var (resolution, min, max, step) = (
                Size(row.GetProperty("max_reso")), row.GetProperty("min_size"), row.GetProperty("max_size"),
                row.GetProperty("reso_steps").GetInt32());
            if (min.ValueKind == JsonValueKind.Null)
            {
                // Without limits it can only be used as the reference uses it: without enlarging.
                Assert.Empty(new AspectBuckets { Step = step, NoUpscale = true }.Validate(resolution));
                return;
            }

            if (row.TryGetProperty("value", out var sizes))
                Assert.Equal(sizes.EnumerateArray().Select(Size), AspectBuckets.Sizes(resolution, min.GetInt32(), max.GetInt32(), step));
            else Assert.NotEmpty(new AspectBuckets { MinSide = min.GetInt32(), MaxSide = max.GetInt32(), Step = step }.Validate(
                resolution));
        });
    }

    [Fact]
    public void Limits_WithoutEnlarging_AreSaidToHaveNoEffect()
    {
        Assert.Empty(new AspectBuckets { NoUpscale = true }.Warnings(new(512, 512)));
        var warnings = new AspectBuckets { NoUpscale = true, MinSide = 100, MaxSide = 2000 }.Warnings(new(512, 512));
        Assert.Equal(["AspectBuckets.MinSide is 100", "AspectBuckets.MaxSide is 2000"], warnings.Select(warning => warning.Split(':')[0]));
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Frame_OfEveryImage_IsTheReferences(int group)
    {
        var json = s_choices.GetProperty("groups")[group];
        var resolution = Size(json.GetProperty("max_reso"));
        var buckets = new AspectBuckets
        {
            MinSide = json.GetProperty("min_size").GetInt32(), MaxSide = json.GetProperty("max_size").GetInt32(),
            Step = json.GetProperty("reso_steps").GetInt32(), NoUpscale = json.GetProperty("no_upscale").GetBoolean(),
        };
        Assert.Empty(buckets.Validate(resolution));
        var rows = json.GetProperty("rows").EnumerateArray().ToList();
        Assert.Equal(600, rows.Count);
        Assert.All(rows, row =>
        {
            var image = new PixelSize(row[0].GetInt32(), row[1].GetInt32());
            if (row.GetArrayLength() == 3 || row[2].GetInt32() == 0 || row[3].GetInt32() == 0)
            {
                Assert.Contains("one step", Assert.Throws<ArgumentException>(() => buckets.Frame(image, resolution)).Message,
                    StringComparison.Ordinal);
                return;
            }

            var expected = new Framing(new(row[4].GetInt32(), row[5].GetInt32()), row[6].GetInt32(), row[7].GetInt32(),
                new(row[2].GetInt32(), row[3].GetInt32()));
            var framing = buckets.Frame(image, resolution);
            Assert.Equal(expected, framing);
            Assert.Equal(row[8].GetDouble(), framing.Size.AspectRatio - image.AspectRatio, 1e-12);
        });
    }

    [Theory]
    [InlineData(320, 1024, 60, "Step")]
    [InlineData(256, 1024, 0, "Step")]
    [InlineData(32, 1024, 64, "MinSide")]
    [InlineData(640, 1024, 64, "MinSide")]
    [InlineData(256, 400, 64, "MaxSide")]
    [InlineData(256, int.MaxValue, 64, "MaxSide")]
    public void Validate_OfWhatCannotWork_NamesTheOption(int min, int max, int step, string option)
    {
        var problems = new DatasetOptions { Resolution = new(512, 512),
            Bucketing = new AspectBuckets { MinSide = min, MaxSide = max, Step = step } }.Validate();
        Assert.Equal($"AspectBuckets.{option}", Assert.Single(problems).Option);
    }

    [Fact]
    public void SdTrainer_SizesAndFraming_AreTheReferences()
    {
        Assert.Equal(4, Read("bucket_sd_trainer.json").GetProperty("groups").GetArrayLength());
        Assert.All(Read("bucket_sd_trainer.json").GetProperty("groups").EnumerateArray(), json =>
        {
            var arguments = json.GetProperty("args");
            var resolution = new PixelSize(arguments.GetProperty("resolution").GetInt32(), arguments.GetProperty("resolution").GetInt32());
            var buckets = new SdTrainerBuckets
            {
                MinSide = arguments.GetProperty("min_length").GetInt32(), MaxSide = arguments.GetProperty("max_length").GetInt32(),
                MaxAspect = arguments.GetProperty("max_ratio").GetDouble(),
            };
            Assert.Empty(buckets.Validate(resolution));
            Assert.Equal(json.GetProperty("buckets_sorted_by_ratio").EnumerateArray().Select(Size), buckets.Sizes(resolution));
            Assert.Equal(200, json.GetProperty("rows").GetArrayLength());
            Assert.All(json.GetProperty("rows").EnumerateArray(), row =>
            {
                var framing = buckets.Frame(new(row[0].GetInt32(), row[1].GetInt32()), resolution);
                Assert.Equal((new PixelSize(row[2].GetInt32(), row[3].GetInt32()), new PixelSize(row[4].GetInt32(), row[5].GetInt32())),
                    (framing.Size, framing.Resized));
                Assert.Equal((Math.Round(row[7][0].GetDouble()), Math.Round(row[7][1].GetDouble())), (framing.Left, framing.Top));
            });
        });
    }

    [Theory]
    [InlineData(ResizeMode.Cover, 300, 200, 768, 512, 128, 0)]
    [InlineData(ResizeMode.Squash, 300, 200, 512, 512, 0, 0)]
    [InlineData(ResizeMode.ShortSide, 301, 200, 770, 512, 129, 0)]
    [InlineData(ResizeMode.ShortSide, 200, 301, 512, 770, 0, 129)]
    public void FixedResolution_InEveryMode_FramesAsItsModelDoes(
        ResizeMode mode, int width, int height, int resizedWidth, int resizedHeight, int left, int top)
    {
        var framing = new FixedResolution { Mode = mode }.Frame(new(width, height), new(512, 512));
        Assert.Equal(new Framing(new(resizedWidth, resizedHeight), left, top, new(512, 512)), framing);
    }

    [Fact]
    public void Build_WithBuckets_GroupsImagesByShape()
    {
        using var folder = new TemporaryFolder();
        Pictures.Write(folder.File("wide.png"), 120, 60);
        Pictures.Write(folder.File("tall.png"), 60, 120);
        Pictures.Write(folder.File("square.png"), 80, 80);
        var dataset = new DatasetBuilder().AddFolder(folder.Path).WithResolution(64)
            .WithBuckets(new() { MinSide = 32, MaxSide = 130, Step = 16 }).Build();
        Assert.Equal([new(48, 80), new(64, 64), new(80, 48)],
            dataset.Buckets.Select(bucket => bucket.Size).Order(Comparer<PixelSize>.Create((a, b) => a.Width - b.Width)));
        Assert.Contains("AspectBuckets.MaxSide is 130", Assert.Single(dataset.Warnings, warning => warning.Contains("Max")),
            StringComparison.Ordinal);
    }

    private static JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", name))).RootElement;

    private static PixelSize Size(JsonElement pair) => new(pair[0].GetInt32(), pair[1].GetInt32());
}
