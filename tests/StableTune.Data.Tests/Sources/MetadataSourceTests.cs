using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests.Sources;

/// <summary>Metadata files as data sets, against sd-scripts' fine-tuning data set (tests/fixtures/data/fine_tuning).</summary>
public sealed class MetadataSourceTests
{
    private static readonly string s_folder = Fixtures.Path("data", "fine_tuning");
    private static readonly List<JsonElement> s_cases = [.. JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "fine_tuning", "expected.json"))).RootElement.GetProperty("fine_tuning").EnumerateArray()];

    public static TheoryData<int> Good => [.. Enumerable.Range(0, s_cases.Count).Where(i => s_cases[i].TryGetProperty("images", out var images) && images.EnumerateObject().Any())];

    [Theory]
    [MemberData(nameof(Good))]
    public void Items_OfEveryFile_AreTheReferences(int index)
    {
        var (expected, subset) = (s_cases[index], s_cases[index].GetProperty("subset"));
        var wildcard = subset.TryGetProperty("enable_wildcard", out _);
        var source = new MetadataSource(Path.Combine(s_folder, expected.GetProperty("metadata_file").GetString()!), Path.Combine(s_folder, "img"))
        {
            Wildcard = wildcard,
            Separator = subset.TryGetProperty("caption_separator", out var separator) ? separator.GetString()! : ",",
        };
        var items = source.Items().ToDictionary(item => Path.GetFileName(item.Path));
        foreach (var image in expected.GetProperty("images").EnumerateObject())
        {
            // Keys without extension are found; the reference cannot open them. Tags without caption are not lost.
            var item = items[Path.HasExtension(image.Name) ? image.Name : image.Name + ".png"];
            var caption = image.Value.GetProperty("caption").GetString();
            if (!(wildcard && caption!.Length == 0)) Assert.Equal(caption, item.Caption ?? "");
        }

        Assert.Equal(expected.GetProperty("images").EnumerateObject().Count(), items.Count);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Build_FromEveryFile_CountsTagsAsTheReference(int index)
    {
        var (expected, name) = (s_cases[index], s_cases[index].GetProperty("metadata_file").GetString()!);
        if (s_cases[index].GetProperty("subset").TryGetProperty("enable_wildcard", out _)) return;          // there the lines of tags are joined before they are counted
        var dataset = new DatasetBuilder().AddMetadata(Path.Combine(s_folder, name), Path.Combine(s_folder, "img"), new SubsetOptions { Repeats = 3 })
            .WithResolution(512).WithBuckets().Build();
        Assert.Equal(3 * expected.GetProperty("images").EnumerateObject().Count(), dataset.TrainingImageCount);
        Assert.Equal(name, Assert.Single(dataset.Folders).Name);
        var counted = expected.GetProperty("tag_frequency").TryGetProperty(name, out var tags) ? tags.EnumerateObject().ToDictionary(tag => tag.Name, tag => tag.Value.GetInt32()) : [];
        Assert.Equal(counted.OrderBy(tag => tag.Key, StringComparer.Ordinal), dataset.TagFrequency[name].OrderBy(tag => tag.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Items_WithTagsOnlyAndSeveralLines_KeepsTheTags()
    {
        var items = new MetadataSource(Path.Combine(s_folder, "multi_line.json"), Path.Combine(s_folder, "img")) { Wildcard = true }.Items();
        Assert.Equal("t", items.Single(item => item.Path.EndsWith("ab.png", StringComparison.Ordinal)).Caption);
    }

    [Fact]
    public void Build_WithMissingImagesAndFiles_ListsAll()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("meta.json"), """{"gone.png": {"caption": "x"}, "away": {}, "": {}}""");
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder()
            .AddMetadata(folder.File("meta.json")).AddMetadata(folder.File("none.json")).AddMetadata(Path.Combine(s_folder, "empty.json"))
            .AddMetadata(Path.Combine(s_folder, "sizes.json"), folder.File("nowhere")).WithResolution(512).Build());
        Assert.Contains("gone.png", error.Message, StringComparison.Ordinal);
        Assert.Contains("away", error.Message, StringComparison.Ordinal);
        Assert.Contains("none.json", error.Message, StringComparison.Ordinal);
        Assert.Contains("lists no images", error.Message, StringComparison.Ordinal);
        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_WithFullPathsAndTheFolderOfTheFile_FindsTheImages()
    {
        using var folder = new TemporaryFolder();
        Pictures.Write(folder.File("here.PNG"), 64, 64);
        Pictures.Write(folder.File("there.png"), 64, 64);
        File.WriteAllText(folder.File("meta.json"), JsonSerializer.Serialize(new Dictionary<string, object> { ["here"] = new { caption = "a" }, [folder.File("there.png")] = new { tags = "b, c" } }));
        var dataset = new DatasetBuilder().AddMetadata(folder.File("meta.json")).WithResolution(64).Build();
        Assert.Equal(["a", "b, c"], dataset.Samples.Select(sample => sample.Caption));
    }
}
