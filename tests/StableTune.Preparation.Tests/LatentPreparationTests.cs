using System.Text.Json;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests;

public sealed class LatentPreparationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Labels => [.. Runs().Select(run => run.GetProperty("label").GetString()!)];

    [Theory]
    [MemberData(nameof(Labels))]
    public void Sizes_AreThoseOfTheReference(string label)
    {
        var run = Runs().Single(candidate => candidate.GetProperty("label").GetString() == label);
        var arguments = run.GetProperty("arguments").EnumerateArray().Select(argument => argument.GetString()!).ToArray();
        var input = _folder.File("in.json");
        // What the tool was given is what came out, less what it added.
        var wanted = run.GetProperty("output");
        using (var stream = File.Create(input))
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            foreach (var entry in wanted.EnumerateObject())
            {
                writer.WriteStartObject(entry.Name);
                foreach (var property in entry.Value.EnumerateObject().Where(property => property.Name != "train_resolution"))
                    property.WriteTo(writer);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        var options = new LatentPreparationOptions
        {
            ImageFolder = Fixtures.Path("metadata", "images"), Input = input, Output = _folder.File("out.json"),
            FullPath = Has("--full_path"), Recursive = Has("--recursive"),
            Resolution = Value("--max_resolution") is { } size ? new(int.Parse(size.Split(',')[0]), int.Parse(size.Split(',')[1]))
                : new(512, 512),
            Buckets = new() { MinSide = Number("--min_bucket_reso", 256), MaxSide = Number("--max_bucket_reso", 1024),
                Step = Number("--bucket_reso_steps", 64), NoUpscale = Has("--bucket_no_upscale") },
        };
        var report = LatentPreparation.Run(options);
        Assert.Empty(report.Skipped);
        using var written = JsonDocument.Parse(File.ReadAllText(options.Output));
        var expected = wanted.EnumerateObject().Where(entry => entry.Value.TryGetProperty("train_resolution", out _)).ToList();
        Assert.Equal(expected.Count, report.Done);
        foreach (var entry in expected)
        {
            // Keys with paths begin with the folder as it was given.
            var key = Has("--full_path") ? entry.Name.Replace("images/", options.ImageFolder + "/", StringComparison.Ordinal) : entry.Name;
            Assert.Equal(entry.Value.GetProperty("train_resolution").EnumerateArray().Select(side => side.GetInt32()),
                written.RootElement.GetProperty(key).GetProperty("train_resolution").EnumerateArray().Select(side => side.GetInt32()));
            if (!Has("--full_path")) Assert.True(JsonElement.DeepEquals(entry.Value, written.RootElement.GetProperty(key)));
        }

        bool Has(string option) => arguments.Contains(option);
        string? Value(string option) => Has(option) ? arguments[Array.IndexOf(arguments, option) + 1] : null;
        int Number(string option, int otherwise) => Value(option) is { } text ? int.Parse(text) : otherwise;
    }

    [Fact]
    public void Latents_AreFoundByTheRunThatFollows_AndBadImagesAreToldOf()
    {
        for (var i = 0; i < 3; i++) Pictures.Write(_folder.File($"{i}.png"), 80 + (16 * i), 64, seed: i);
        File.WriteAllText(_folder.File("bad.png"), "no image");
        var options = new LatentPreparationOptions { ImageFolder = _folder.Path, Output = _folder.File("meta.json"),
            Resolution = new(64, 64), Buckets = new() { MinSide = 32, MaxSide = 128, Step = 16 }, Flip = true };
        var vae = new SquareVae();
        var report = LatentPreparation.Run(options, vae);
        Assert.Equal((3, 6), (report.Done, vae.Images));
        Assert.Equal(_folder.File("bad.png"), Assert.Single(report.Skipped).Path);
        Assert.Equal(3, Directory.GetFiles(_folder.Path, "*_sd.npz").Length);
        Assert.Equal((3, report.Buckets.Count), (report.Buckets.Sum(bucket => bucket.Images), report.ToString().Split("size ").Length - 1));
        Assert.NotNull(report.MeanAspectError);
        LatentPreparation.Run(options with { Overwrite = true }, vae);
        Assert.Equal(6, vae.Images);                                                      // what serves is kept
        var dataset = new DatasetBuilder().AddMetadata(options.Output, options: new SubsetOptions { Augmentation = new() { Flip = true } })
            .WithResolution(64).WithBuckets(options.Buckets).Build();
        using var cache = LatentCache.Open(dataset, vae.Identity, new() { LatentsToDisk = true });
        Assert.Empty(cache.Missing);
        Assert.Throws<InvalidOptionsException>(() =>
            LatentPreparation.Run(options with { ImageFolder = _folder.File("nowhere"), Resolution = new PixelSize(8, 8) }));
    }

    private static IEnumerable<JsonElement> Runs() =>
        JsonDocument.Parse(File.ReadAllText(Fixtures.Path("metadata", "metadata_tools.json"))).RootElement.GetProperty("runs")
        .EnumerateArray()
        .Where(run => run.GetProperty("tool").GetString() == "prepare_buckets_latents");
}
