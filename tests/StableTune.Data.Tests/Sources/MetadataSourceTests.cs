using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests.Sources;

/// <summary>Metadata files as data sets, against sd-scripts' fine-tuning data set (tests/fixtures/data/fine_tuning).</summary>
public sealed class MetadataSourceTests
{
    private static readonly string s_folder = Fixtures.Path("data", "fine_tuning");
    private static readonly List<JsonElement> s_cases =
        [.. JsonDocument.Parse(
        File.ReadAllBytes(Fixtures.Path("data", "fine_tuning", "expected.json"))).RootElement.GetProperty("fine_tuning")
        .EnumerateArray()];

    public static TheoryData<int> Good =>
        [.. Enumerable.Range(0, s_cases.Count).Where(i => s_cases[i].TryGetProperty("images", out var images) && images.EnumerateObject()
        .Any())];

    [Fact]
    public void Cases_AreAllTested_AndWhatTheReferenceRefusesIsRefused()
    {
        Assert.Equal((12, 9), (s_cases.Count, Good.Count));
        var others = s_cases.Where(c => !(c.TryGetProperty("images", out var images) && images.EnumerateObject().Any()));
        Assert.Equal(["lists no images", "missing.json", "\"a.png\" is not in"], others.Select(c =>
        {
            var folder = c.GetProperty("image_dir").GetString() is { } name ? Path.Combine(s_folder, name) : null;
            var message = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder()
                .AddMetadata(Path.Combine(s_folder, c.GetProperty("metadata_file").GetString()!), folder).WithResolution(512)
                    .Build()).Message;
            return new[] { "lists no images", "\"a.png\" is not in", "missing.json" }.First(fault =>
                message.Contains(fault, StringComparison.Ordinal));
        }));
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Items_OfEveryFile_AreTheReferences(int index)
    {
        var (expected, subset) = (s_cases[index], s_cases[index].GetProperty("subset"));
        var wildcard = subset.TryGetProperty("enable_wildcard", out _);
        var source = new MetadataSource(Path.Combine(s_folder, expected.GetProperty("metadata_file").GetString()!),
            Path.Combine(s_folder, "img"))
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
        var (expected, name, subset) = (s_cases[index], s_cases[index].GetProperty("metadata_file").GetString()!, s_cases[index]
            .GetProperty("subset"));
        var dataset = new DatasetBuilder().AddMetadata(Path.Combine(s_folder, name), Path.Combine(s_folder, "img"), new SubsetOptions
        {
            Repeats = subset.TryGetProperty("num_repeats", out var repeats) ? repeats.GetInt32() : null,
            Captions = new()
            {
                Wildcard = subset.TryGetProperty("enable_wildcard", out _),
                Separator = subset.TryGetProperty("caption_separator", out var separator) ? separator.GetString()! : ",",
            },
        }).WithResolution(512).WithBuckets().Build();
        Assert.Equal(expected.GetProperty("num_train_images").GetInt32(), dataset.TrainingImageCount);
        foreach (var image in expected.GetProperty("images").EnumerateObject())
        {
            var sample = dataset.Samples.Single(sample => Path.GetFileName(sample.Path) == (Path.HasExtension(image.Name) ? image.Name
                : image.Name + ".png"));
            Assert.Equal(image.Value.GetProperty("num_repeats").GetInt32(), sample.Repeats);
            // Here the size is always that of the file. The reference believes what the metadata say, and cannot open keys without
            // extension.
            Assert.Equal(new Imaging.PixelSize(64, 64), sample.ImageSize);
            var believed = image.Value.GetProperty("image_size") is { ValueKind: JsonValueKind.Array } size && size[0].GetInt32() != 64;
            if (expected.TryGetProperty("buckets", out var buckets) && !believed)
                Assert.Equal((buckets.GetProperty(image.Name)[0].GetInt32(), buckets.GetProperty(image.Name)[1].GetInt32()),
                    (sample.Framing.Size.Width, sample.Framing.Size.Height));
        }

        Assert.Equal(name, Assert.Single(dataset.Folders).Name);
        var counted = expected.GetProperty("tag_frequency").TryGetProperty(name, out var tags) ? tags.EnumerateObject()
            .ToDictionary(tag => tag.Name, tag => tag.Value.GetInt32()) : [];
        Assert.Equal(counted.OrderBy(tag => tag.Key, StringComparer.Ordinal), dataset.TagFrequency[name]
            .OrderBy(tag => tag.Key, StringComparer.Ordinal));
    }

    /// <summary>
    /// What the reference notes in <c>metadata_cache.json</c>; images without caption have the class tokens there and nothing in ours,
    /// which keeps captions as they are written.
    /// </summary>
    [Fact]
    public void CacheInfo_OfAFolder_NotesWhatTheReferenceNotes()
    {
        var expected =
            JsonDocument.Parse(File.ReadAllBytes(Path.Combine(s_folder, "expected.json"))).RootElement.GetProperty("image_info_cache");
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Path.Combine(s_folder, "img"))) File.Copy(file, folder.File(Path.GetFileName(file)));
        new DatasetBuilder().Add(new FolderSource(folder.Path) { CacheInfo = true, CaptionExtensions = [".txt"] },
            new() { ClassTokens = "cls" }).WithResolution(64).Build();
        using var written = JsonDocument.Parse(File.ReadAllText(folder.File(expected.GetProperty("file").GetString()!)));
        Assert.Equal(expected.GetProperty("content").EnumerateObject().Select(entry =>
                (folder.File(Path.GetFileName(entry.Name)), entry.Value.GetProperty("caption").GetString() ?? "",
                    entry.Value.GetProperty("resolution").GetRawText().ReplaceLineEndings("").Replace(" ", ""))),
            written.RootElement.EnumerateObject().Select(entry =>
                (entry.Name, entry.Value.GetProperty("caption").GetString()?.TrimEnd() ?? "cls", entry.Value.GetProperty("resolution")
                    .GetRawText().ReplaceLineEndings("").Replace(" ", ""))));
    }

    [Fact]
    public void Build_WithTwoKeysOfOneImage_TrainsItWithBothTexts()
    {
        using var folder = new TemporaryFolder();
        Pictures.Write(folder.File("a.png"), 64, 64);
        File.WriteAllText(folder.File("meta.json"), """{"a": {"caption": "one"}, "a.png": {"caption": "two"}}""");
        Assert.Equal(["one", "two"], new DatasetBuilder().AddMetadata(folder.File("meta.json")).WithResolution(64)
            .Build().Samples.Select(sample => sample.Caption));
    }

    [Fact]
    public void Items_WithTagsOnlyAndSeveralLines_KeepsTheTags()
    {
        var items = new MetadataSource(Path.Combine(s_folder, "multi_line.json"),
            Path.Combine(s_folder, "img")) { Wildcard = true }.Items();
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
        File.WriteAllText(folder.File("meta.json"),
            JsonSerializer.Serialize(new Dictionary<string,
            object> { ["here"] = new { caption = "a" }, [folder.File("there.png")] = new { tags = "b, c" } }));
        var dataset = new DatasetBuilder().AddMetadata(folder.File("meta.json")).WithResolution(64).Build();
        Assert.Equal(["a", "b, c"], dataset.Samples.Select(sample => sample.Caption));
    }
}
