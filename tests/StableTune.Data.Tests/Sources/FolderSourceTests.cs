using System.Text.Json;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class FolderSourceTests
{
    /// <summary>All but the missing folder, which the reference finds nothing in; here that is a fault, see below.</summary>
    public static TheoryData<int> CaptionCases() =>
        [.. Enumerable.Range(0, Cases.GetArrayLength())
            .Where(index => !(Cases[index].TryGetProperty("captions", out var captions) && !captions.EnumerateObject().Any()))];

    private static JsonElement Cases { get; } =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "folders", "expected.json"))).RootElement.GetProperty("captions");

    /// <summary>The captions that sd-scripts finds. It keeps a byte order mark, which the specification says to strip.</summary>
    [Theory]
    [MemberData(nameof(CaptionCases))]
    public void Captions_AreThoseOfTheReference(int index)
    {
        var expected = Cases[index];
        var build = () => Build(
            Path.Combine(Fixtures.Path("data", "folders"), expected.GetProperty("image_dir").GetString()!),
            expected.GetProperty("caption_extension").GetString(),
            new SubsetOptions
            {
                ClassTokens = expected.GetProperty("class_tokens").GetString(),
                Captions = new CaptionOptions { Wildcard = expected.GetProperty("enable_wildcard").GetBoolean(),
                    TakeEmptyFirstLine = true },
            });
        if (expected.TryGetProperty("error", out _))
        {
            var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(build).Problems);
            Assert.EndsWith("e.txt", Assert.IsType<string>(problem.Value));
            return;
        }

        var found = build().Samples.ToDictionary(sample => Path.GetFileName(sample.Path), sample => sample.Caption);
        Assert.Equal(expected.GetProperty("captions").EnumerateObject()
            .ToDictionary(c => c.Name, c => c.Value.GetString()!.TrimStart('\uFEFF')), found);
    }

    [Fact]
    public void Kinds_AreThoseOfTheCodec_AndOthersAreNamed()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Fixtures.Path("data", "images", "png_small.png"), folder.File("a.png"));
        File.WriteAllBytes(folder.File("b.GIF"), [.. "GIF89a"u8, 90, 0, 70, 0, 0, 0, 0, .. new byte[20]]);
        File.WriteAllBytes(folder.File("c.avif"), new byte[20]);
        var builder = new DatasetBuilder().AddFolder(folder.Path).WithResolution(64);
        var plain = builder.Build();
        Assert.Equal("a.png", Path.GetFileName(Assert.Single(plain.Samples).Path));
        Assert.Contains(plain.Warnings, warning => warning.Contains("2 file(s) are pictures of kinds that are not read")
            && warning.Contains("b.GIF, c.avif"));

        var more = builder.WithOptions(builder.Plan.Options with { Codec = new GifCodec() }).Build();
        Assert.Equal(["a.png", "b.GIF"], more.Samples.Select(sample => Path.GetFileName(sample.Path)).Order());
        Assert.Contains(more.Warnings, warning => warning.Contains("1 file(s) are pictures of kinds") && warning.Contains("c.avif"));
    }

    [Fact]
    public void WrongKindUnderAKnownName_IsToldWhenTheDataSetIsBuilt()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("b.png"), [.. "GIF89a"u8, 90, 0, 70, 0, 0, 0, 0, .. new byte[20]]);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().AddFolder(folder.Path)
            .WithResolution(64).Build()).Problems);
        Assert.Contains("it is a GIF file, which SkiaCodec does not read", problem.ToString());
    }

    [Fact]
    public void CaptionExtensions_OfAnyFile_TakeCaptionBeforeTxt_AndSaySo()
    {
        var dataset = Build(Fixtures.Path("data", "folders", "captions"), null, new());
        string Caption(string name) => dataset.Samples.Single(sample => Path.GetFileName(sample.Path) == name).Caption;
        Assert.Equal("from the caption file", Caption("one.png"));
        Assert.Equal("name with dots", Caption("dotted.name.png"));
        Assert.Contains(dataset.Warnings, warning =>
            warning.Contains("have several caption files (.caption or .txt), of which the first is used"));
    }

    [Fact]
    public void Name_WithAnUnderscore_GivesRepeatsAndClassTokens_UnlessTheSubsetSaysOtherwise()
    {
        var folder = Fixtures.Path("data", "folders", "train", "20_sls frog");
        var byName = Assert.Single(new DatasetBuilder().AddFolder(folder).WithResolution(64).Build().Samples);
        Assert.Equal((20, "sls frog"), (byName.Repeats, byName.Caption));
        var byOption = Assert.Single(new DatasetBuilder().AddFolder(folder, repeats: 3, classTokens: "a frog").WithResolution(64)
            .Build().Samples);
        Assert.Equal((3, "a frog"), (byOption.Repeats, byOption.Caption));
        var plain = Assert.Single(new DatasetBuilder().Add(new FolderSource(folder) { ReadFolderName = false }).WithResolution(64)
            .Build().Samples);
        Assert.Equal((1, ""), (plain.Repeats, plain.Caption));
        var number = Assert.Single(new DatasetBuilder().AddFolder(Fixtures.Path("data", "folders", "train", "3")).WithResolution(64)
            .Build().Samples);
        Assert.Equal(1, number.Repeats);
    }

    [Fact]
    public void Name_ThatLooksLikeAYear_IsPointedOut()
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(Path.Combine(temporary.Folder("2024_holidays"), "a.png"), 64, 64);
        var dataset = new DatasetBuilder().AddFolder(temporary.File("2024_holidays")).WithResolution(64).Build();
        Assert.Contains(dataset.Warnings, warning => warning.Contains("2024 repeats"));
    }

    [Fact]
    public void Items_AreSortedByOrdinalName_AndTakeEveryKindOfImage()
    {
        var order = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "epochs.json"))).RootElement.GetProperty("image_file_order");
        using var temporary = new TemporaryFolder();
        foreach (var file in order.GetProperty("files").EnumerateArray()) File.WriteAllText(temporary.File(file.GetString()!), "");
        // The specification ignores case altogether; the reference takes lower or upper case, but not mixed.
        var expected = order.GetProperty("found").EnumerateArray().Select(file => file.GetString()!).Append("w.Png")
            .Order(StringComparer.Ordinal);
        Assert.Equal(expected, new FolderSource(temporary.Path).Items().Select(item => Path.GetFileName(item.Path)));
    }

    [Theory]
    [InlineData("nowhere", "does not exist")]
    [InlineData("empty", "holds no images")]
    [InlineData("file", "is a file")]
    public void Folder_ThatCannotServe_IsNamedWithARemedy(string name, string fault)
    {
        using var temporary = new TemporaryFolder();
        temporary.Folder("empty");
        File.WriteAllText(temporary.File("file"), "");
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().AddFolder(temporary.File(name)).WithResolution(64)
            .Build());
        var problem = Assert.Single(error.Problems);
        Assert.Equal(temporary.File(name), problem.Value);
        Assert.Contains(fault, problem.Rule);
        Assert.NotEmpty(problem.Remedy);
    }

    [Fact]
    public void Folder_ThatHoldsOnlyFolders_SaysWhichToName()
    {
        var root = Fixtures.Path("data", "folders", "reg");
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => new FolderSource(root).Items().ToList()).Problems);
        Assert.Contains("1_frog", problem.Remedy);
        Assert.Contains("AddDreamBoothRoot", problem.Remedy);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\uFEFF")]
    public void Caption_EmptyFile_IsNamedWithARemedy(string content)
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(temporary.File("a.png"), 8, 8);
        File.WriteAllText(temporary.File("a.caption"), content);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => new FolderSource(temporary.Path).Items()).Problems);
        Assert.Equal(temporary.File("a.caption"), problem.Value);
        Assert.Contains("empty", problem.Rule);
    }

    /// <summary>Text of another encoding would train as noise, and what cannot be read is told for each file, not for the folder.</summary>
    [Fact]
    public void Captions_ThatAreNoText_AreAllNamed()
    {
        using var temporary = new TemporaryFolder();
        byte[][] contents = [[0xFF, 0xFE, (byte)'a', 0], [0xFE, 0xFF, 0, (byte)'a'], [(byte)'a', 0, (byte)'b', 0], [(byte)'a', 0xE9]];
        for (var i = 0; i < contents.Length; i++) File.WriteAllBytes(temporary.File($"{i}.caption"), contents[i]);
        using (var file = File.Create(temporary.File("4.caption"))) file.SetLength((16 << 20) + 1);
        for (var i = 0; i < 6; i++) Pictures.Write(temporary.File($"{i}.png"), 8, 8);
        if (!OperatingSystem.IsWindows()) File.CreateSymbolicLink(temporary.File("5.caption"), temporary.File("5.caption"));
        var problems = Assert.Throws<InvalidOptionsException>(() => new FolderSource(temporary.Path).Items()).Problems;
        Assert.Equal(Enumerable.Range(0, OperatingSystem.IsWindows() ? 5 : 6).Select(i => temporary.File($"{i}.caption")),
            problems.Select(problem => problem.Value));
        Assert.Equal(["not UTF-8: it is UTF-16", "not UTF-8: it is UTF-16", "not UTF-8: it is UTF-16", "not UTF-8 (byte 1)",
            "16777216 is the most", "cannot be read"],
            problems.Zip(["not UTF-8: it is UTF-16", "not UTF-8: it is UTF-16", "not UTF-8: it is UTF-16", "not UTF-8 (byte 1)",
                "16777216 is the most", "cannot be read"],
                (problem, part) => problem.Rule.Contains(part, StringComparison.Ordinal) ? part : problem.Rule));
        Assert.All(problems, problem => Assert.NotEmpty(problem.Remedy));
    }

    [Fact]
    public void Folder_ThatCanBeNoPath_IsRefused()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().AddFolder("a\0b").AddDreamBoothRoot("c\0d")
            .AddMetadata("e\0f").AddSdTrainer("g\0h").WithResolution(64).Build());
        Assert.Equal(4, error.Problems.Count);
    }

    /// <summary>As in sd-scripts, a name must match exactly; blanks, brackets and other scripts are nothing special.</summary>
    [Fact]
    public void Images_WithOddNames_HaveTheirCaptions_AlsoThroughAConfigurationFile()
    {
        using var temporary = new TemporaryFolder();
        var folder = temporary.Folder("a [b] {c}");
        string[] stems = OperatingSystem.IsWindows() ? ["a b", "[x]", "日本", "%20"]
            : ["a b", "[x]*?", "日本", "%20", "quote\"'", "line\nfeed", "-dash", "e\u0301", "\u00e9"];
        foreach (var stem in stems)
        {
            Pictures.Write(Path.Combine(folder, stem + ".png"), 64, 64);
            File.WriteAllText(Path.Combine(folder, stem + ".caption"), "of " + stem.Replace('\n', ' '));
        }

        Directory.CreateDirectory(Path.Combine(folder, "folder.png"));
        var builder = new DatasetBuilder().AddFolder(folder).WithResolution(64);
        File.WriteAllText(temporary.File("data.toml"), builder.ToToml());
        Assert.All([builder.Build(), DatasetBuilder.FromToml(temporary.File("data.toml")).Build()], dataset =>
        {
            Assert.Equal(stems.Order(StringComparer.Ordinal),
                dataset.Samples.Select(sample => Path.GetFileNameWithoutExtension(sample.Path)));
            Assert.All(dataset.Samples, sample => Assert.Equal("of " + Path.GetFileNameWithoutExtension(sample.Path).Replace('\n', ' '),
                sample.Caption));
            Assert.Empty(dataset.CheckImages());
        });
    }

    [Fact]
    public void Root_WhoseFoldersHaveOtherNames_NamesThem()
    {
        using var temporary = new TemporaryFolder();
        temporary.Folder("frog");
        temporary.Folder("x20_frog");
        var problem =
            Assert.Single(Assert.Throws<InvalidOptionsException>(() => new DreamBoothRootSource(temporary.Path).Items()).Problems);
        Assert.Contains("\"frog\", \"x20_frog\"", problem.Rule);
    }

    [Fact]
    public void Root_WithLooseImages_SaysSo()
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(temporary.File("a.png"), 8, 8);
        var loose = Assert.Single(Assert.Throws<InvalidOptionsException>(() => new DreamBoothRootSource(temporary.Path).Items()).Problems);
        Assert.Contains("AddFolder", loose.Remedy);
        Pictures.Write(Path.Combine(temporary.Folder("2_cat"), "b.png"), 8, 8);
        var mixed = Assert.Single(Assert.Throws<InvalidOptionsException>(() => new DreamBoothRootSource(temporary.Path).Items()).Problems);
        Assert.Contains("a.png", mixed.Rule);
    }

    private static TrainingDataset Build(string folder, string? extension, SubsetOptions options) =>
        new DatasetBuilder().Add(new FolderSource(folder) { CaptionExtensions = extension is null ? CaptionFiles.Any : [extension] },
            options).WithResolution(64).Build();

    private sealed class GifCodec : IImageCodec
    {
        public IReadOnlyCollection<ImageFormat> Formats => [.. SkiaCodec.Instance.Formats, ImageFormat.Gif];

        public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha) =>
            new(header.StoredSize.Width, header.StoredSize.Height);

        public byte[] Encode(PixelImage image, ImageFormat format, int quality) => [];
    }
}
