using System.Text.Json;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>Bucketing of whole folders against sd-trainer's (tests/fixtures/data/image_cases.json).</summary>
public sealed class SdTrainerParityTests : IDisposable
{
    private static readonly List<JsonElement> s_cases =
        [.. JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement.GetProperty("sd_trainer")
            .EnumerateArray()];

    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    [Fact]
    public void Bucketing_OfEveryCase_WritesTheReferencesListAndPixels()
    {
        Assert.Equal(4, s_cases.Count);
        foreach (var item in s_cases) File.Copy(Fixtures.Path("data", "images", Name(item)), _folder.File(Name(item)));
        var arguments = Assert.Single(s_cases.Select(item => item.GetProperty("args").GetRawText()).Distinct());
        using var values = JsonDocument.Parse(arguments);
        int Number(string name) => values.RootElement.GetProperty(name).GetInt32();
        var report = SdTrainerBucketing.Run(new()
        {
            Source = _folder.Path, Destination = _out.Path, Resolution = Number("resolution"),
            Buckets = new() { MinSide = Number("min_length"), MaxSide = Number("max_length"),
                MaxAspect = values.RootElement.GetProperty("max_ratio").GetDouble() },
        });
        Assert.Equal((4, 0), (report.Done, report.Skipped.Count));
        var written = JsonSerializer.Deserialize<Dictionary<string, string[]>>(File.ReadAllText(_out.File("buckets.json")))!
            .SelectMany(entry => entry.Value.Select(name => (name, entry.Key))).Order();
        Assert.Equal(s_cases.Select(item => (item.GetProperty("key").GetString()!, item.GetProperty("bucket").GetString()!)).Order(),
            written);

        using var golden = SafetensorsFile.Open(Fixtures.Path("data", "image_cases.safetensors"));
        var compared = 0;
        foreach (var item in s_cases)
        {
            var image = ImageFile.Load(_out.File(item.GetProperty("key").GetString() + ".png"));
            Assert.Equal(item.GetProperty("output_shape").EnumerateArray().Select(side => side.GetInt32()),
                [image.Height, image.Width, image.Channels]);
            if (!golden.TryGet("sd_trainer/" + Name(item), out _)) continue;           // of the others only the size was recorded
            compared++;
            Assert.True(golden.Span("sd_trainer/" + Name(item)).SequenceEqual(image.Pixels), Name(item));
        }

        Assert.Equal(2, compared);
    }

    private static string Name(JsonElement item) => item.GetProperty("image").GetString()!;
}
