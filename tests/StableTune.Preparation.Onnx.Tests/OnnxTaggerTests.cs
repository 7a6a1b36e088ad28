using StableTune.Hub;

namespace StableTune.Preparation.Onnx.Tests;

/// <summary>WD14 taggers and DeepDanbooru: what they are shown, and what becomes of their scores.</summary>
public sealed class OnnxTaggerTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, true, true)]
    [InlineData(0, false, false)]
    [InlineData(1, true, true)]
    [InlineData(3, false, true)]
    [InlineData(0, true, false)]
    public void Tag_OfColours_NamesThem_WhateverTheModelsForm(int batch, bool sigmoid, bool channelsLast)
    {
        var options = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m"), TinyTaggers.Wd(batch, sigmoid, channelsLast)) };
        using var tagger = options.Load();
        PixelImage[] images = [OnnxFolder.Plain(OnnxFolder.Blue), OnnxFolder.Plain(OnnxFolder.Red, 20, 20),
            OnnxFolder.Plain(OnnxFolder.Green, 3, 3), OnnxFolder.Plain(0), OnnxFolder.Plain(0xFFFFFF, 40, 10)];
        var selection = new TagSelection { Rating = TagPosition.Last };
        Assert.Equal(["blue_sky, alice_(wonderland), general", "red_rose, explicit", "green_grass, general", "general",
            "blue_sky, green_grass, red_rose, alice_(wonderland), general"],
            tagger.Tag(images, default).Select(tags => string.Join(", ", selection.Apply(tags))));
        var scores = tagger.Tag(images[..1], default)[0];
        Assert.Equal(6, scores.Count);
        Assert.Equal(1 / (1 + Math.Exp(-20)), scores[2].Score, 1e-6);
        Assert.Equal(1 / (1 + Math.Exp(20)), scores[3].Score, 1e-6);
        Assert.Equal(TagCategory.Character, scores[5].Category);
        Assert.Empty(tagger.Tag([], default));
    }

    [Theory]
    [InlineData(OnnxType.Float)]
    [InlineData(OnnxType.Half)]
    [InlineData(OnnxType.UInt8)]
    public void Tag_OfAWideImage_IsShownOnAWhiteSquare_BlueFirst(OnnxType type)
    {
        var image = OnnxFolder.Noise(4, 2);
        var shown = Shown(new WdTaggerOptions { Model = _folder.Echo("m", channelsLast: true, 4, type), Logits = false }, image);
        Assert.Equal(Enumerable.Repeat(255f, 12), shown[..12]);                  // the first row of four is white
        Assert.Equal(Enumerable.Repeat(255f, 12), shown[36..]);
        for (var i = 0; i < 8; i++)
            Assert.Equal([image.Pixels[(3 * i) + 2], image.Pixels[(3 * i) + 1], image.Pixels[3 * i]],
                shown[(12 + (3 * i))..(15 + (3 * i))]);
    }

    [Fact]
    public void Tag_WithColoursSecond_ScalesAsTheConfigurationSays()
    {
        var options = new WdTaggerOptions { Model = _folder.Echo("m", channelsLast: false, 2), Logits = false };
        var image = OnnxFolder.Plain(0x4080C0, 2, 2);
        float[] blueGreenRed = [0xC0, 0x80, 0x40];
        AssertPlanes(blueGreenRed.Select(value => (value / 127.5f) - 1), Shown(options, image));

        var configuration = _folder.File("m", "config.json");
        File.WriteAllText(configuration, """{"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 1]}}""");
        AssertPlanes([((0xC0 / 255f) - 0.1f) / 0.5f, ((0x80 / 255f) - 0.2f) / 0.25f, (0x40 / 255f) - 0.3f], Shown(options, image));
        File.WriteAllText(configuration, """{"model_type": "other"}""");
        AssertPlanes(blueGreenRed.Select(value => (value / 127.5f) - 1), Shown(options, image));
        foreach (var wrong in new[] { "{", """{"pretrained_cfg": {"mean": [1, 2], "std": [1, 1, 1]}}""",
            """{"pretrained_cfg": {"mean": [0, 0, 0], "std": [1, 0, 1]}}""", """{"pretrained_cfg": {"mean": "half"}}""",
            """{"pretrained_cfg": {}}""" })
        {
            File.WriteAllText(configuration, wrong);
            var error = Assert.Throws<InvalidFileException>(() => options.Load());
            Assert.Equal(configuration, error.Path);
        }
    }

    [Fact]
    public void Tag_WithTagsInJson_ShowsRedFirst()
    {
        var model = _folder.Echo("m", channelsLast: false, 2);
        File.Delete(_folder.File("m", "selected_tags.csv"));
        File.WriteAllText(_folder.File("m", "tag_mapping.json"), "{" + string.Join(',', Enumerable.Range(0, 12).Select(i =>
            $$"""  "{{i}}": {"tag": "t{{i}}", "category": "Artist"} """)) + "}");
        var shown = Shown(new WdTaggerOptions { Model = model, Logits = false }, OnnxFolder.Plain(0x4080C0, 2, 2));
        AssertPlanes([(0x40 / 127.5f) - 1, (0x80 / 127.5f) - 1, (0xC0 / 127.5f) - 1], shown);
    }

    [Fact]
    public void Tag_WithAModelThatScalesItself_GivesPixelsAsTheyAre()
    {
        // (x - 127.5) / 128, behind a change of type: what the echo says is scaled once.
        var model = _folder.Echo("m", channelsLast: false, 2, first: model =>
        {
            var same = model.Node("Identity", ["x"]);
            var less = model.Node("Sub", [same, model.Weights([127.5f], 1)]);
            return model.Node("Div", [less, model.Weights([128f], 1)]);
        });
        var shown = Shown(new WdTaggerOptions { Model = model, Logits = false }, OnnxFolder.Plain(0x4080C0, 2, 2));
        AssertPlanes([(0xC0 - 127.5f) / 128, (0x80 - 127.5f) / 128, (0x40 - 127.5f) / 128], shown);
    }

    [Fact]
    public void Tag_OfDeepDanbooru_FitsImages_AndRepeatsTheirEdges()
    {
        var image = OnnxFolder.Noise(4, 2);
        var shown = Shown(new DeepDanbooruOptions { Model = _folder.Echo("m", channelsLast: true, 4), Logits = false }, image);
        for (var y = 0; y < 4; y++)
            for (var i = 0; i < 12; i++) Assert.Equal(image.Row(Math.Clamp(y - 1, 0, 1))[i] / 255f, shown[(12 * y) + i], 1e-6f);
        var tall = OnnxFolder.Noise(1, 4);
        shown = Shown(new DeepDanbooruOptions { Model = _folder.Echo("m", channelsLast: true, 4), Logits = false }, tall);
        for (var y = 0; y < 4; y++)
            for (var x = 0; x < 4; x++)
                for (var c = 0; c < 3; c++) Assert.Equal(tall.Row(y)[c] / 255f, shown[(12 * y) + (3 * x) + c], 1e-6f);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Tag_WithBytes_GivesPixelsAsTheyAre_WhateverTheTaggersScaling(bool channelsLast)
    {
        var (model, image) = (_folder.Echo("m", channelsLast, 2, OnnxType.UInt8), OnnxFolder.Plain(0x4080C0, 2, 2));
        float[] redGreenBlue = [0x40, 0x80, 0xC0];
        var shown = Shown(new DeepDanbooruOptions { Model = model, Logits = false }, image);
        Assert.Equal(channelsLast ? redGreenBlue : [0x40, 0x40, 0x40], shown[..3]);
        shown = Shown(new WdTaggerOptions { Model = model, Logits = false }, image);
        Assert.Equal(channelsLast ? redGreenBlue.Reverse() : [0xC0, 0xC0, 0xC0], shown[..3]);
    }

    [Fact]
    public void DeepDanbooru_WritesTagsInTheOrderOfTheList_OrByCategory()
    {
        var folder = _folder.Folder("dd");
        TinyTaggers.Wd(side: 0).Save(Path.Combine(folder, "model-resnet.onnx"));    // colours from 0 to 1: a logit of -20 to -19.8
        File.WriteAllText(Path.Combine(folder, "tags.txt"), "sky\n1girl\r\nalice_(w)\ngrass\nrating:safe\nrating:explicit\n");
        var image = OnnxFolder.Plain(0xFFFFFF, 5, 9);
        using (var tagger = new DeepDanbooruOptions { Model = folder }.Load())
        {
            Assert.Equal(new PixelSize(512, 512), tagger.Prepare(image).Size);
            Assert.Equal(["sky", "1girl", "alice_(w)", "grass", "rating:safe", "rating:explicit"],
                new TagSelection { Threshold = 0 }.Apply(tagger.Tag([image], default)[0]));
        }

        var options = new DeepDanbooruOptions { Model = folder, Categories = true, InputSize = 64 };
        Assert.Contains("tags-character.txt", Assert.Throws<InvalidFileException>(() => options.Load()).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "tags-character.txt"), "alice_(w)\n");
        using var second = options.Load();
        Assert.Equal(new PixelSize(64, 64), second.Prepare(image).Size);
        Assert.Equal(["sky", "1girl", "grass", "alice_(w)"], new TagSelection { Threshold = 0 }.Apply(second.Tag([image], default)[0]));
    }

    [Fact]
    public void Tag_OfScoresOfEveryCategory_SelectsAsTheReference()
    {
        // The scores of TagSelectionTests, as a model gives them.
        (string Name, float Score, TagCategory Category)[] tags =
        [
            ("general", 0.6f, TagCategory.Rating), ("sensitive", 0.7f, TagCategory.Rating), ("1girl", 0.99f, TagCategory.General),
            ("solo", 0.35f, TagCategory.General), ("long_hair", 0.8f, TagCategory.General), ("^_^", 0.5f, TagCategory.General),
            ("smile", 0.34f, TagCategory.General), ("alice_(summer)_(wonderland)", 0.9f, TagCategory.Character),
            ("best_quality", 0.2f, TagCategory.Quality), ("carroll", 0.5f, TagCategory.Artist), ("wonderland", 0.5f, TagCategory.Copyright),
            ("highres", 0.9f, TagCategory.Meta), ("sdxl", 0.9f, TagCategory.Model),
        ];
        var model = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 8, 8, 3);
        var means = model.Node("ReduceMean", ["x"], null, ("axes", (int[])[1, 2]), ("keepdims", 0));
        model.Node("Gemm", [means, model.Weights(new float[3 * tags.Length], 3, tags.Length),
            model.Weights([.. tags.Select(tag => tag.Score)], tags.Length)], "y");
        model.Output("y", OnnxType.Float, 0, tags.Length).Save(_folder.File("m", "model.onnx"));
        File.WriteAllText(_folder.File("m", "selected_tags.csv"), "name,category\n"
            + string.Concat(tags.Select(tag => $"{tag.Name},{(int)tag.Category}\n")));
        using var tagger = new WdTaggerOptions { Model = _folder.File("m"), Logits = false }.Load();
        _folder.Write("a.png", OnnxFolder.Noise(30, 20));
        ImageTagging.Run(new TaggingOptions
        {
            ImageFolder = _folder.Images,
            Selection = new()
            {
                RemoveUnderscores = true, ExpandCharacters = true, Rating = TagPosition.First, Quality = TagPosition.Last,
                CharactersFirst = true, UndesiredTags = ["solo"], FirstTags = ["long hair"], MetaThreshold = 2,
                Replacements = TagReplacements.Parse("1girl,woman"),
            },
        }, tagger);
        Assert.Equal("long hair, sensitive, alice (summer), wonderland, woman, ^_^, carroll, sdxl, best quality\n",
            File.ReadAllText(Path.Combine(_folder.Images, "a.txt")));
    }

    [Fact]
    public void Load_FromTheHub_DownloadsOnce()
    {
        using var hub = new FakeHub();
        hub.AddFolder(TinyTaggers.Write(_folder.Folder("m"), TinyTaggers.Wd(channelsLast: false)));
        hub.AddFile("v3/model.onnx", _folder.File("m", "model.onnx"));
        var options = new WdTaggerOptions { Model = FakeHub.Name, Hub = Hub(hub, _folder.Folder("cache")) };
        using (var tagger = options.Load()) Assert.Equal(6, tagger.Vocabulary.Tags.Count);
        Assert.Equal((1, 1), (hub.Server.CountOf(FakeHub.FilePath("model.onnx")),
            hub.Server.CountOf(FakeHub.FilePath("selected_tags.csv"))));
        Assert.Equal(0, hub.Server.CountOf(FakeHub.FilePath("v3/model.onnx")));
        var there = hub.Server.Requests.Count;
        using (options.Load()) Assert.Equal(0, hub.Server.CountOf(FakeHub.FilePath("v3/model.onnx")));
        Assert.Equal((1, 1), (hub.Server.CountOf(FakeHub.FilePath("model.onnx")),
            hub.Server.CountOf(FakeHub.FilePath("selected_tags.csv"))));
        Assert.True(hub.Server.Requests.Skip(there).All(request => request.Path.EndsWith("config.json", StringComparison.Ordinal)
            || request.Path.StartsWith("/api/", StringComparison.Ordinal)), "only the missing configuration may be asked for again");

        var asked = hub.Server.Requests.Count;
        using (var offline = (options with { Hub = options.Hub with { Offline = true } }).Load())
            Assert.Equal("blue_sky", new TagSelection { CharacterThreshold = 2 }.Apply(offline.Tag([OnnxFolder.Plain(OnnxFolder.Blue)],
                default)[0])[0]);
        Assert.Equal(asked, hub.Server.Requests.Count);

        var error = Assert.Throws<InvalidFileException>(() => (options with { Model = FakeHub.Name + "/v3/model.onnx" }).Load());
        Assert.Contains("selected_tags.csv, is not beside it", error.Message, StringComparison.Ordinal);
        using (var own = (options with { Model = FakeHub.Name + "/v3/model.onnx", Tags = _folder.File("m", "selected_tags.csv") }).Load())
            Assert.Equal(6, own.Vocabulary.Tags.Count);
        Assert.Throws<HubException>(() => (options with { Model = FakeHub.Name + "/none.onnx" }).Load());
    }

    [Fact]
    public void Load_OfWeightsBesideTheModelOnTheHub_FindsThem_OrNamesTheFile()
    {
        using var hub = new FakeHub();
        hub.AddFolder(TinyTaggers.Write(_folder.Folder("m")));
        foreach (var (name, location) in new[] { ("dot", "./weights.bin"), ("double", "a//b"), ("query", "w?.bin") })
        {
            var model = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 8, 8, 3);
            var scaled = model.Node("Mul", ["x", model.WeightsIn(location, 3)]);
            var means = model.Node("ReduceMean", [scaled], null, ("axes", (int[])[1, 2]), ("keepdims", 0));
            model.Node("Concat", [means, means], "y", ("axis", 1));
            model.Output("y", OnnxType.Float, 0, 6).Save(_folder.File(name + ".onnx"));
            hub.AddFile(name + ".onnx", _folder.File(name + ".onnx"));
        }

        File.WriteAllBytes(_folder.File("weights.bin"), [.. new[] { 1f, 1, 1 }.SelectMany(BitConverter.GetBytes)]);
        hub.AddFile("weights.bin", _folder.File("weights.bin"));
        var options = new WdTaggerOptions { Hub = Hub(hub, _folder.Folder("cache")) };
        using (var tagger = (options with { Model = FakeHub.Name + "/dot.onnx" }).Load()) Assert.Equal(6, tagger.Vocabulary.Tags.Count);
        foreach (var (name, location) in new[] { ("double", "a//b"), ("query", "w?.bin") })
        {
            var error = Assert.Throws<InvalidFileException>(() => (options with { Model = $"{FakeHub.Name}/{name}.onnx" }).Load());
            Assert.Contains($"\"{location}\" is no path in a repository", error.Fault, StringComparison.Ordinal);
            Assert.EndsWith(name + ".onnx", error.Path, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Tag_WhenCancelled_Ends()
    {
        using var tagger = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m")) }.Load();
        Assert.Throws<OperationCanceledException>(() => tagger.Tag([OnnxFolder.Plain(0)], new CancellationToken(canceled: true)));
    }

    internal static HubOptions Hub(FakeHub hub, string cache) => new()
    {
        Endpoint = hub.Server.Address, CacheFolder = cache, Offline = false,
        Token = "", RetryDelay = TimeSpan.FromMilliseconds(1),
    };

    private static float[] Shown(OnnxTaggerOptions options, PixelImage image)
    {
        using var tagger = options.Load();
        var tags = tagger.Tag([OnnxFolder.Plain(0), image], default)[1];
        return [.. tags.Select(tag => tag.Score)];
    }

    private static void AssertPlanes(IEnumerable<float> expected, float[] shown)
    {
        foreach (var (value, plane) in expected.Zip(shown.Chunk(4)))
            Assert.All(plane, one => Assert.Equal(value, one, 1e-5f));
    }
}
