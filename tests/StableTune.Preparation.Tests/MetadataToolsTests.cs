using System.Text.Json.Nodes;
using System.Text.Json;
using StableTune.Data;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>Merging and cleaning against sd-scripts' tools (tests/fixtures/metadata).</summary>
public sealed class MetadataToolsTests : IDisposable
{
    private static readonly JsonElement s_clean = JsonDocument.Parse(
        File.ReadAllBytes(Fixtures.Path("metadata", "clean_cases.json"))).RootElement;
    private static readonly CleaningRules s_reference = CleaningRules.Anime with { WholeWords = false };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_EveryRecordedRun_WritesTheReferencesFile()
    {
        var count = 0;
        foreach (var run in JsonDocument.Parse(
            File.ReadAllBytes(Fixtures.Path("metadata", "metadata_tools.json"))).RootElement.GetProperty("runs").EnumerateArray())
        {
            var (tool, arguments) = (run.GetProperty("tool").GetString()!,
                run.GetProperty("arguments").EnumerateArray().Select(a => a.GetString()!).ToArray());
            if (tool == "prepare_buckets_latents") continue;
            count++;
            if (run.TryGetProperty("error", out var error))
            {
                ExpectFault(Merge(tool, arguments), error.GetString()!);
                continue;
            }

            if (tool == "clean_captions_and_tags") CaptionCleaning.Run(_folder.File(arguments[0]), _folder.File(arguments[1]), s_reference);
            else Assert.Empty(MetadataMerge.Run(Merge(tool, arguments)).Skipped);
            var written = WithoutFolder(File.ReadAllText(_folder.File(arguments[1])));
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(run.GetProperty("output").GetRawText()), JsonNode.Parse(written)),
                $"{run.GetProperty("label")}\n{written}");
        }

        Assert.Equal(13, count);
    }

    [Fact]
    public void Tags_OfEveryCase_AreCleanedAsInTheReference() => Assert.All(s_clean.GetProperty("clean_tags").EnumerateArray(), row =>
        Assert.Equal(row.GetProperty("value").GetString(), CaptionCleaning.Tags(row.GetProperty("tags").GetString()!, s_reference)));

    [Fact]
    public void Caption_OfEveryCase_IsCleanedAsInTheReference() => Assert.All(s_clean.GetProperty("clean_caption").EnumerateArray(), row =>
        Assert.Equal(row.GetProperty("value").GetString(), CaptionCleaning.Caption(row.GetProperty("caption").GetString()!, s_reference)));

    [Theory]
    [InlineData("a ladybug and a lady", "a ladybug and a girl")]
    [InlineData("the personality of a young woman", "the personality of a girl")]
    public void Caption_ByDefault_LeavesTheInsideOfWordsAlone(string caption, string expected) =>
        Assert.Equal(expected, CaptionCleaning.Caption(caption, CleaningRules.Anime));

    [Fact]
    public void Caption_WithARuleThatFeedsItself_Ends() =>
        Assert.Equal("aa b", CaptionCleaning.Caption("a b", new CleaningRules { Replacements = [("a", "aa")], WholeWords = false }));

    [Fact]
    public void Run_KeepsWhatItDoesNotKnow_AndTheOrder()
    {
        File.WriteAllText(_folder.File("in.json"), """{"b": {"tags": "long_hair", "score": 5, "train_resolution": [512, 384]}, "a": {"caption": "ein Mädchen", "more": {"x": null}}}""");
        CaptionCleaning.Run(_folder.File("in.json"), _folder.File("out.json"), CleaningRules.Anime);
        Assert.Equal("""
            {
              "b": {
                "tags": "long hair",
                "train_resolution": [
                  512,
                  384
                ],
                "score": 5
              },
              "a": {
                "caption": "ein Mädchen",
                "more": {
                  "x": null
                }
              }
            }
            """, File.ReadAllText(_folder.File("out.json")).ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("5", "no JSON object")]
    [InlineData("[1]", "entry 1 is no object with an \"image_path\" or a \"file_name\"")]
    [InlineData("{\"a\": 1}", "\"a\" is no object")]
    [InlineData("{\"a\": {\"caption\": 5}}", "\"caption\" is 5, not a text")]
    [InlineData("{\"a\": {\"train_resolution\": [512]}}", "not [width, height]")]
    [InlineData("{\"a\": {\"train_resolution\": [\"512\", 512]}}", "not [width, height]")]
    [InlineData("{\"a\": {\"caption\": \"x\"}, \"a\": {\"caption\": \"y\"}}", "Duplicate property 'a', which may be there once")]
    [InlineData("{\"a\": {\"tags\": \"x\", \"tags\": \"y\"}}", "Duplicate property 'tags'")]
    [InlineData(
        "{\"a\": {},\n}", "at line 2, byte 1: The JSON object contains a trailing comma at the end which is not supported in this mode.")]
    [InlineData("{\"a\": {\"caption\": [1]}, \"b\": 5}", "2 faults: \"a\": \"caption\" is [1], not a text. \"b\" is no object")]
    [InlineData("{\"a\": {\"image_size\": [512, -1]}}", "not [width, height]")]
    [InlineData("{\"a\": ", "not JSON")]
    [InlineData("{\"a\": {\"caption\": \"\\ud800\"}}", "not JSON")]
    public void Load_OfABrokenFile_NamesPlaceAndFault(string json, string fault)
    {
        File.WriteAllText(_folder.File("in.json"), json);
        var error = Assert.Throws<InvalidFileException>(() => MetadataFile.Load(_folder.File("in.json")));
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_folder.File("in.json"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfLines_GivesTheirImages_AndNamesABadLine()
    {
        var images = MetadataFile.Load(Fixtures.Path("data", "fine_tuning", "lines.jsonl"));
        Assert.Equal(["a.png", "b.png"], images.Keys);
        Assert.Equal(("from jsonl", new Imaging.PixelSize(64, 64), "x, y"),
            (images["a.png"].Caption, images["a.png"].ImageSize, images["b.png"].Tags));
        File.WriteAllText(_folder.File("bad.jsonl"), "{\"image_path\": \"a.png\"}\n\n{\"caption\": \"b\"}\n");
        Assert.Contains("line 3", Assert.Throws<InvalidFileException>(() => MetadataFile.Load(_folder.File("bad.jsonl"))).Fault,
            StringComparison.Ordinal);
        File.WriteAllText(_folder.File("bad.jsonl"), "{\"image_path\": \"a.png\"}\n{\"image_path\": \"a.png\"}\n{oops\n");
        var fault = Assert.Throws<InvalidFileException>(() => MetadataFile.Load(_folder.File("bad.jsonl"))).Fault;
        Assert.StartsWith("2 faults: line 2: the image \"a.png\" is there twice. not JSON that could be read at line 3, byte 2", fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Run_WithImagesWithoutTexts_GoesOnAndListsThem()
    {
        foreach (var name in new[] { "a.png", "b.png", "b.jpg", "c.png" }) File.WriteAllText(_folder.File(name), "");
        File.WriteAllText(_folder.File("a.caption"), " one \n");
        File.WriteAllText(_folder.File("b.caption"), "two");
        var report = MetadataMerge.Run(new() { ImageFolder = _folder.Path, Output = _folder.File("meta.json") });
        Assert.Equal(2, report.Done);
        Assert.Equal(["b.png", "c.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal(["one", "two"], MetadataFile.Load(_folder.File("meta.json")).Values.Select(image => image.Caption));
    }

    [Fact]
    public void Keys_WithoutFullPath_ArePathsFromTheFolderOn_AndFindTheirImages()
    {
        Pictures.Write(_folder.File("frog.png"), 64, 64);
        Pictures.Write(Path.Combine(_folder.Folder("a", "b"), "frog.png"), 64, 64);
        File.WriteAllText(_folder.File("frog.caption"), "outside");
        File.WriteAllText(_folder.File("a", "b", "frog.caption"), "inside");
        Pictures.Write(Path.Combine(_folder.Folder(".ipynb_checkpoints"), "frog.png"), 64, 64);
        File.WriteAllBytes(_folder.File("a", "._frog.png"), [0, 5, 22, 7]);
        var output = _folder.File("meta.json");
        Assert.Equal(2, MetadataMerge.Run(new() { ImageFolder = _folder.Path, Output = output, Recursive = true }).Done);
        Assert.Equal(["frog", "a/b/frog.png"], MetadataFile.Load(output).Keys);
        var report = LatentPreparation.Run(
            new() { ImageFolder = _folder.Path, Input = output, Output = output, Recursive = true, Resolution = new(64, 64),
            Buckets = new() { MinSide = 64 } });
        Assert.Equal(["frog", "a/b/frog.png"], MetadataFile.Load(output).Keys);
        Assert.Contains("size 64x64: 2 images\nmean aspect error: 0", report.ToString());
        Assert.Equal(["outside", "inside"],
            new DatasetBuilder().AddMetadata(output).WithResolution(64).Build().Samples.Select(sample => sample.Caption));
    }

    [Fact]
    public void Output_ThatIsThere_IsSaidBeforeTheWorkBegins_UnlessItIsTheInput()
    {
        Pictures.Write(_folder.File("frog.png"), 64, 64);
        File.WriteAllText(_folder.File("frog.caption"), "lady_bug");
        var (input, output) = (_folder.File("in.json"), _folder.File("out.json"));
        File.WriteAllText(input, """{"frog": {"tags": "long_hair"}}""");
        File.WriteAllText(output, "mine");
        var merge = new MetadataMergeOptions { ImageFolder = _folder.Path, Input = input, Output = output };
        var prepare = new LatentPreparationOptions { ImageFolder = _folder.Path, Output = output, Resolution = new(64, 64),
            Buckets = new() { MinSide = 64 } };
        Action[] refused = [() => MetadataMerge.Run(merge), () => LatentPreparation.Run(prepare), () =>
            LatentPreparation.Run(prepare with { Input = input }), () => CaptionCleaning.Run(input, output, new())];
        Assert.All(refused, run => Assert.Contains("the file is there already", Assert.Throws<InvalidOptionsException>(run).Message));
        Assert.Equal("mine", File.ReadAllText(output));
        MetadataMerge.Run(merge with { Overwrite = true });
        LatentPreparation.Run(prepare with { Overwrite = true, Input = input });
        CaptionCleaning.Run(input, output, CleaningRules.Anime, overwrite: true);
        Assert.Equal("long hair", MetadataFile.Load(output)["frog"].Tags);

        MetadataMerge.Run(merge with { Output = input });
        MetadataMerge.Run(merge with { Input = null });
        LatentPreparation.Run(prepare with { Input = input, Output = input });
        CaptionCleaning.Run(input, input, CleaningRules.Anime);
        Assert.Throws<InvalidOptionsException>(() => CaptionCleaning.Run(input, _folder.File("out.csv"), new()));
    }

    private MetadataMergeOptions Merge(string tool, string[] arguments)
    {
        string? After(string option) => Array.IndexOf(arguments, option) is >= 0 and var place ? arguments[place + 1] : null;
        return new()
        {
            ImageFolder = Fixtures.Path("metadata", arguments[0]), Output = _folder.File(arguments[1]),
            Input = After("--in_json") is { } input ? _folder.File(input) : null,
            Text = tool == "merge_captions_to_metadata" ? MergedText.Captions : MergedText.Tags,
            Extension = After("--caption_extension"), FullPath = arguments.Contains("--full_path"),
            Recursive = arguments.Contains("--recursive"),
        };
    }

    /// <summary>What the reference raises is refused, or told in the report.</summary>
    private static void ExpectFault(MetadataMergeOptions options, string error)
    {
        if (error == "FileNotFoundError") Assert.NotEmpty(MetadataMerge.Run(options).Skipped);
        // Without full paths, keys of folders inside are paths from the image folder on: the reference has no such keys, and refuses.
        else if (options is { Recursive: true, FullPath: false }) Assert.NotEqual(0, MetadataMerge.Run(options).Done);
        else Assert.Throws<InvalidOptionsException>(() => MetadataMerge.Run(options));
    }

    private static string WithoutFolder(string json) => json.Replace(Fixtures.Path("metadata") + "/", "", StringComparison.Ordinal);
}
