using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Sources;

/// <summary>Folders as users have them: captions under other names, files of systems, layouts of other tools.</summary>
public sealed class UsersFoldersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Captions_InAnyCase_AreFound_AndThoseThatAreNotUsedAreOffered()
    {
        var folder = _folder.Folder("5_sls frog");
        Pictures.Write(Path.Combine(folder, "IMG_0001.PNG"), 64, 64);
        File.WriteAllText(Path.Combine(folder, "IMG_0001.TXT"), "a frog on a leaf");
        Pictures.Write(Path.Combine(folder, "IMG_0002.PNG"), 64, 64, 5);
        File.WriteAllText(Path.Combine(folder, "IMG_0002.PNG.txt"), "a frog in water");
        var builder = new DatasetBuilder().WithResolution(64);

        // Tag files do not become captions unasked, and that is said.
        var plain = builder.AddFolder(folder).Build();
        Assert.All(plain.Samples, sample => Assert.Equal("sls frog", sample.Caption));
        var said = Assert.Single(plain.Warnings, warning => warning.Contains("CaptionExtensions (caption_extension)"));
        Assert.Contains("IMG_0001.TXT", said);
        Assert.Contains(plain.Warnings, warning =>
            warning.Contains("2 of 2 image(s) have no caption file (.caption); the class tokens \"sls frog\" are their caption"));

        var any = new DatasetBuilder().WithResolution(64).AddFolder(folder, new SubsetOptions { CaptionExtensions = CaptionFiles.Any })
            .Build();
        Assert.Equal(["a frog on a leaf", "sls frog"], any.Samples.Select(sample => sample.Caption));
        Assert.Contains(any.Warnings, warning => warning.Contains("1 of 2 image(s) have no caption file (.caption or .txt)"));
        Assert.Contains(any.Warnings, warning => warning.Contains("IMG_0002.PNG.txt") && warning.Contains("CaptionsByFullName"));

        var full = new DatasetBuilder().WithResolution(64)
            .AddDreamBoothRoot(_folder.Path, new SubsetOptions { CaptionExtensions = [".txt"], CaptionsByFullName = true }).Build();
        Assert.Equal(["a frog on a leaf", "a frog in water"], full.Samples.Select(sample => sample.Caption));
        Assert.DoesNotContain(full.Warnings, warning => warning.Contains("caption"));

        File.WriteAllText(_folder.File("data.toml"), "[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = \"5_sls frog\"\n"
            + "caption_extension = [\".caption\", \".txt\"]\ncaptions_by_full_name = true");
        Assert.Equal(["a frog on a leaf", "a frog in water"], DatasetBuilder.FromToml(_folder.File("data.toml"))
            .Build().Samples.Select(sample => sample.Caption));
    }

    [Fact]
    public void CaptionFiles_ThatBelongToNoImage_AreNamed()
    {
        Pictures.Write(_folder.File("frog.png"), 64, 64);
        File.WriteAllText(_folder.File("Frog.caption"), "a frog");
        File.WriteAllText(_folder.File("frog2.caption"), "another");
        var warning = Assert.Single(new DatasetBuilder().WithResolution(64).AddFolder(_folder.Path).Build().Warnings, warning =>
            warning.Contains("belong to no image"));
        Assert.Contains("2 caption file(s)", warning);
        Assert.Contains("frog2.caption", warning);
    }

    [Fact]
    public void Captions_OfSeveralLines_AreSaidOnce_AndTheFirstThatIsNotEmptyCounts()
    {
        string[] texts = ["one\ntwo\n", "\n \r\nafter empty ones", "single\n"];
        for (var i = 0; i < texts.Length; i++)
        {
            Pictures.Write(_folder.File($"{i}.png"), 64, 64, i);
            File.WriteAllText(_folder.File($"{i}.caption"), texts[i]);
        }

        var dataset = new DatasetBuilder().WithResolution(64).AddFolder(_folder.Path).Build();
        Assert.Equal(["one", "after empty ones", "single"], dataset.Samples.Select(sample => sample.Caption));
        var warning = Assert.Single(dataset.Warnings, warning => warning.Contains("several lines"));
        Assert.StartsWith("1 image(s)", warning);
        Assert.Contains("enable_wildcard", warning);
        Assert.DoesNotContain(dataset.Warnings, warning => warning.Contains("no caption"));
        var all = new DatasetBuilder().WithResolution(64)
            .AddFolder(_folder.Path, new SubsetOptions { Captions = new() { Wildcard = true } }).Build();
        Assert.DoesNotContain(all.Warnings, warning => warning.Contains("several lines"));

        // Noted sizes and captions change nothing of it.
        for (var run = 0; run < 2; run++)
            Assert.Contains(new DatasetBuilder().WithResolution(64).Add(new FolderSource(_folder.Path) { CacheInfo = true })
                .Build().Warnings, one => one.StartsWith("1 image(s) have captions of several"));
    }

    [Fact]
    public void FilesOfNobody_ArePassedOver()
    {
        Pictures.Write(_folder.File("frog.png"), 64, 64);
        File.WriteAllText(_folder.File("frog.caption"), "a frog");
        File.WriteAllBytes(_folder.File("._frog.png"), [0, 5, 22, 7]);
        File.WriteAllBytes(_folder.File("._frog.caption"), [0, 5, 22, 7]);
        File.WriteAllBytes(_folder.File("Thumbs.db"), [1, 2, 3]);
        Pictures.Write(Path.Combine(_folder.Folder(".ipynb_checkpoints"), "frog-checkpoint.png"), 64, 64);
        var dataset = new DatasetBuilder().WithResolution(64).AddFolder(_folder.Path).Build();
        Assert.Equal("a frog", Assert.Single(dataset.Samples).Caption);
        Assert.DoesNotContain(dataset.Warnings, warning => !warning.Contains("enlarged"));
        Assert.Empty(dataset.CheckImages());
        Assert.Empty(DuplicateFinder.Find(_folder.Path));

        using var root = new TemporaryFolder();
        Pictures.Write(Path.Combine(root.Folder("1_frog"), "a.png"), 64, 64);
        foreach (var name in new[] { ".ipynb_checkpoints", "__MACOSX", "@eaDir" }) root.Folder(name);
        File.WriteAllBytes(root.File("._1_frog"), [0, 5, 22, 7]);
        File.WriteAllBytes(root.File("._a.png"), [0, 5, 22, 7]);
        Assert.DoesNotContain(new DatasetBuilder().WithResolution(64).AddDreamBoothRoot(root.Path).Build().Warnings, warning =>
            warning.Contains("passed over"));
    }

    [Fact]
    public void PicturesOfOtherKinds_AreNamed_AndJfifIsRead()
    {
        ImageFile.SaveJpeg(_folder.File("b.jfif"), new Canvas(64, 64, PixelColor.White).Image);
        foreach (var name in new[] { "c.avif", "d.gif", "e.heic", "f.tiff", "g.JXL" })
        {
            File.WriteAllBytes(_folder.File(name), new byte[40]);
            File.WriteAllText(Path.ChangeExtension(_folder.File(name), ".caption"), "a caption");
        }

        File.WriteAllText(_folder.File("b.caption"), "read");
        var dataset = new DatasetBuilder().WithResolution(64).AddFolder(_folder.Path).Build();
        Assert.Equal("read", Assert.Single(dataset.Samples).Caption);
        var warning = Assert.Single(dataset.Warnings, warning => warning.Contains("5 file(s) are pictures of kinds that are not read"));
        Assert.Contains("c.avif, d.gif, e.heic, f.tiff, g.JXL", warning);

        File.Delete(_folder.File("b.jfif"));
        var problem =
            Assert.Single(Assert.Throws<InvalidOptionsException>(new DatasetBuilder().WithResolution(64)
            .AddFolder(_folder.Path).Build).Problems);
        Assert.Contains("e.heic", problem.Rule);
    }

    [Theory]
    [InlineData("metadata.jsonl",
        "{\"file_name\": \"a.png\", \"text\": \"one, frog\", \"score\": 3}\n{\"file_name\": \"sub/b.png\", \"text\": \"two\"}\n")]
    [InlineData("metadata.csv", "\uFEFFfile_name,text,score\r\na.png,\"one, frog\",3\r\nsub/b.png,two,4\r\n")]
    [InlineData("metadata.tsv", "score\tfile_name\ttext\n3\ta.png\tone, frog\n4\tsub/b.png\ttwo")]
    [InlineData("list.json", "[{\"file_name\": \"a.png\", \"text\": \"one, frog\"}, {\"image_path\": \"sub/b\", \"caption\": \"two\"}]")]
    public void ListsOfOtherTools_AreReadAsWhatTheyAre(string name, string content)
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        Pictures.Write(Path.Combine(_folder.Folder("sub"), "b.png"), 64, 64);
        File.WriteAllText(_folder.File(name), content);
        var dataset = new DatasetBuilder().WithResolution(64).AddMetadata(_folder.File(name)).Build();
        Assert.Equal([("a.png", "one, frog"), ("b.png", "two")],
            dataset.Samples.Select(sample => (Path.GetFileName(sample.Path), sample.Caption)));
        if (name.StartsWith("metadata", StringComparison.Ordinal) && !name.EndsWith(".tsv", StringComparison.Ordinal))
            Assert.Contains(new DatasetBuilder().WithResolution(64).AddFolder(_folder.Path).Build().Warnings, warning =>
                warning.Contains(name) && warning.Contains("AddMetadata"));
    }

    [Fact]
    public void Tables_ThatAreBroken_AreRefusedWithLines_AndNotWritten()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        Assert.Contains("no column is called file_name", Refused("picture,text\na.png,x\n"));
        Assert.Contains("line 3 has 3 values for 2 columns", Refused("file_name,text\na.png,\"said \"\"hi\"\"\"\nb.png,x,y\n"));
        Assert.Contains("line 3: the image \"a.png\" is there twice", Refused("file_name,text\na.png,x\na.png,y\n"));
        Assert.Contains("the table is empty", Refused(""));
        File.WriteAllText(_folder.File("m.csv"), "file_name,text\na.png,\"said \"\"hi\"\",\nthen left\"\n");
        Assert.Equal("said \"hi\",\nthen left", MetadataFile.Load(_folder.File("m.csv"))["a.png"].Caption);
        Assert.Throws<ArgumentException>(() => MetadataFile.Save(_folder.File("out.csv"), new Dictionary<string, ImageMetadata>()));

        string Refused(string text)
        {
            File.WriteAllText(_folder.File("m.csv"), text);
            return Assert.Throws<InvalidFileException>(() => MetadataFile.Load(_folder.File("m.csv"))).Message;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RegularizationImages_BesideAMetadataFile_AreRefusedOnEveryWay(bool folder)
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        File.WriteAllText(_folder.File("meta.json"), """{"a": {"caption": "x"}}""");
        var regularization = new SubsetOptions { IsRegularization = true };
        var builder = new DatasetBuilder().WithResolution(64).AddMetadata(_folder.File("meta.json"), options: folder ? null
            : regularization);
        if (folder) builder.AddFolder(_folder.Path, regularization);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(builder.Build).Problems);
        Assert.Equal("SubsetOptions.IsRegularization", problem.Option);
        Assert.Contains("no identifier with a class", problem.Rule);

        File.WriteAllText(_folder.File("data.toml"),
            "[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nmetadata_file = \"meta.json\"\nis_reg = true\n");
        Assert.Contains("no identifier with a class",
            Assert.ThrowsAny<InvalidFileException>(() => DatasetBuilder.FromToml(_folder.File("data.toml"))).Message);
    }

    [Fact]
    public void TrainResolution_OfAMetadataFile_DecidesWhereLatentsAreThere()
    {
        foreach (var name in new[] { "a", "b" }) Pictures.Write(_folder.File(name + ".png"), 96, 64);
        File.WriteAllText(_folder.File("meta.json"),
            """{"a": {"caption": "x", "train_resolution": [48, 32]}, "b": {"caption": "y", "train_resolution": [64, 40]}}""");
        DatasetBuilder Builder() => new DatasetBuilder().AddMetadata(_folder.File("meta.json"));
        string Sizes(DatasetBuilder builder) => string.Join(' ', builder.Build().Samples.Select(sample => sample.Framing.Size));
        Assert.Equal("48x32 64x40", Sizes(Builder()));
        NpzWriter.Write(_folder.File("a.npz"), [NpyArray.Of<float>("latents", new float[4 * 4 * 6], 4, 4, 6).ToPayload()]);
        Assert.Equal("48x32 64x64", Sizes(Builder().WithResolution(64)));
        Assert.Equal("56x40 56x40", Sizes(Builder().WithResolution(64, 40).WithBuckets(new() { MinSide = 32, MaxSide = 64, Step = 8 })));
        using (var cache = LatentCache.Open(Builder().Build(), new SquareVae().Identity, new() { LatentsToDisk = true }))
            Assert.Single(cache.Missing);

        var dataset = Builder().Build();
        Assert.True(dataset.HasBuckets);
        Assert.Equal(new PixelSize(64, 40), dataset.Resolution);
        Assert.Contains("size 48x32: 1 images", dataset.Report());
        Assert.Contains("mean aspect error: 0.05", dataset.Report());

        // An image without one needs a resolution.
        File.WriteAllText(_folder.File("meta.json"), """{"a": {"caption": "x", "train_resolution": [48, 32]}, "b": {"caption": "y"}}""");
        Assert.Equal("DatasetOptions.Resolution", Assert.Single(Assert.Throws<InvalidOptionsException>(Builder().Build).Problems).Option);
    }

    [Fact]
    public void Prefix_OfSdTrainer_HasNoSeparator()
    {
        static string Caption(CaptionOptions options) => CaptionPipeline.From(options)
            .Apply("frog", new CaptionUse(1, 0, 0, new RandomStream(0)));
        Assert.Equal("p, frog", Caption(new() { Prefix = "p," }));
        Assert.Equal("p,frog", Caption(new() { Prefix = "p,", PrefixSeparator = "" }));
        var sdTrainer = new DatasetBuilder().AddSdTrainer("nowhere", new SubsetOptions { Captions = new() { Prefix = "p, " } });
        Assert.Equal("p, frog", Caption(Assert.Single(sdTrainer.Plan.Subsets).Options.Captions));
        var own = new DatasetBuilder()
            .AddSdTrainer("nowhere", new SubsetOptions { Captions = new() { Prefix = "p", PrefixSeparator = " - " } });
        Assert.Equal("p - frog", Caption(Assert.Single(own.Plan.Subsets).Options.Captions));
    }

    [Fact]
    public void MetadataCache_OfAnotherProgram_IsNotDegraded()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        Pictures.Write(_folder.File("b.png"), 64, 64);
        File.WriteAllText(_folder.File("b.caption"), "a frog\nsecond line\n");
        var gone = _folder.File("gone.png");
        File.WriteAllText(_folder.File("metadata_cache.json"), $$"""
            { "{{_folder.File("a.png")}}": { "caption": "cls", "resolution": [64, 64], "score": 7 }, "{{gone}}": { "caption": "left", "resolution": [32, 48] } }
            """);
        for (var run = 0; run < 2; run++)
        {
            var dataset = new DatasetBuilder().WithResolution(64).Add(new FolderSource(_folder.Path) { CacheInfo = true },
                new() { ClassTokens = "cls" }).Build();
            Assert.Equal(["cls", "a frog"], dataset.Samples.Select(sample => sample.Caption));
            using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(_folder.File("metadata_cache.json")));
            Assert.Equal(["cls", "a frog", "left"], json.RootElement.EnumerateObject()
                .Select(entry => entry.Value.GetProperty("caption").GetString()));
            Assert.Equal(7, json.RootElement.GetProperty(_folder.File("a.png")).GetProperty("score").GetInt32());
            Assert.Equal(48, json.RootElement.GetProperty(gone).GetProperty("resolution")[1].GetInt32());
        }

        // Without class tokens the caption is empty, never null.
        new DatasetBuilder().WithResolution(64).Add(new FolderSource(_folder.Path) { CacheInfo = true }).Build();
        using var plain = System.Text.Json.JsonDocument.Parse(File.ReadAllText(_folder.File("metadata_cache.json")));
        Assert.Equal("", plain.RootElement.GetProperty(_folder.File("a.png")).GetProperty("caption").GetString());
    }
}
