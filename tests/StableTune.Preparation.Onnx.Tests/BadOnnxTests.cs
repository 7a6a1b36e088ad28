namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Files that are no taggers, and folders with images that are none.</summary>
public sealed class BadOnnxTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static void Fails(OnnxTaggerOptions options, string fault, string? path = null)
    {
        var error = Assert.Throws<InvalidFileException>(() => options.Load());
        Assert.Contains(fault, error.Fault, StringComparison.Ordinal);
        Assert.NotEmpty(error.Remedy);
        if (path is not null) Assert.Equal(path, error.Path);
    }

    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData("<!DOCTYPE html><html>", "no ONNX model")]
    [InlineData("{\"error\": \"not found\"}", "no ONNX model")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS")]
    [InlineData("\u0008\u0008", "it holds no operations")]
    public void Load_OfAnotherFile_SaysWhatItIs(string text, string fault)
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        File.WriteAllText(Path.Combine(folder, "model.onnx"), text);
        Fails(new WdTaggerOptions { Model = folder }, fault, Path.Combine(folder, "model.onnx"));
    }

    [Fact]
    public void Load_OfATruncatedModel_AtAnyPlace_IsToldSo()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        var (path, whole) = (Path.Combine(folder, "model.onnx"), TinyTaggers.Wd().ToArray());
        for (var length = 1; length < whole.Length - 8; length += 7)
        {
            File.WriteAllBytes(path, whole[..length]);
            var error = Assert.Throws<InvalidFileException>(() => new WdTaggerOptions { Model = path }.Load());
            Assert.Equal(path, error.Path);
        }

        File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
        Fails(new WdTaggerOptions { Model = path }, "cut off");
    }

    [Fact]
    public void Load_OfADamagedModel_NeverFailsOtherwise()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        var (path, whole, random) = (Path.Combine(folder, "model.onnx"), TinyTaggers.Wd().ToArray(), new Random(1));
        for (var i = 0; i < Exhaustive.Runs(60, 2000); i++)
        {
            var damaged = whole.ToArray();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, damaged);
            try
            {
                using var tagger = new WdTaggerOptions { Model = path }.Load();
            }
            catch (InvalidFileException e)
            {
                Assert.NotEmpty(e.Fault);
                Assert.Equal(path, e.Path);
            }
        }
    }

    [Fact]
    public void Load_OfAModelWithoutPictures_ListsItsInputs()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        var text = new OnnxModelWriter().Input("ids", OnnxType.Int64, 0, 77).Output("y", OnnxType.Int64, 0, 77);
        text.Node("Identity", ["ids"], "y");
        text.Save(Path.Combine(folder, "model.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "no input for pictures: ids Int64 [?, 77]");

        var grey = new OnnxModelWriter().Input("x", OnnxType.Float, 1, 1, 8, 8).Output("y", OnnxType.Float, 1, 1, 8, 8);
        grey.Node("Identity", ["x"], "y");
        grey.Save(Path.Combine(folder, "model.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "no input for pictures: x Float [1, 1, 8, 8]");

        TinyMaskers.ClipSeg(5).Save(Path.Combine(folder, "model.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "besides pictures it wants input_ids Int64 [?, ?]");
    }

    [Theory]
    [InlineData(6)]
    [InlineData(0)]
    public void Load_WithAListOfAnotherLength_SaysHowLongBothAre(int declared)
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        if (declared == 0)
        {
            _folder.Echo("m", channelsLast: true, 4);
            File.WriteAllText(Path.Combine(folder, "selected_tags.csv"), TinyTaggers.Table);
        }

        File.AppendAllText(Path.Combine(folder, "selected_tags.csv"), "9,dog,0,1\n");
        Fails(new WdTaggerOptions { Model = folder }, "but the list has 7 tags");
    }

    [Fact]
    public void Load_OfWhatIsNotThere_SaysWhatIsMissing()
    {
        Fails(new WdTaggerOptions { Model = _folder.File("none.onnx") }, "there is no such file or folder");
        var folder = _folder.Folder("m");
        Fails(new WdTaggerOptions { Model = folder }, "holds no ONNX model", folder);
        TinyTaggers.Wd().Save(Path.Combine(folder, "a.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "its list of tags, selected_tags.csv, is not beside it");
        Fails(new DeepDanbooruOptions { Model = folder }, "its list of tags, tags.txt, is not beside it");
        TinyTaggers.Wd().Save(Path.Combine(folder, "b.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "holds several models: a.onnx, b.onnx", folder);

        foreach (var (file, fault) in new[] { ("weights.bin", "weights.bin, which is not beside it"), ("../weights.bin", "no file of its"),
            ("/etc/hosts", "no file of its"), ("a/../../b", "no file of its"), ("c:\\x", "no file of its") })
        {
            var outside = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 8, 8, 3).Output("y", OnnxType.Float, 0, 8, 8, 3);
            outside.Node("Mul", ["x", outside.WeightsIn(file, 3)], "y");
            outside.Save(Path.Combine(folder, "model.onnx"));
            File.WriteAllText(Path.Combine(folder, "selected_tags.csv"), TinyTaggers.Table);
            Fails(new WdTaggerOptions { Model = folder }, fault);
        }
    }

    [Fact]
    public void Load_WithOptionsThatCannotWork_ListsThem()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            new DeepDanbooruOptions { Threads = 0, Tags = _folder.File("none.csv"), InputSize = 0 }.Load());
        Assert.Equal(["Model", "Threads", "Tags", "InputSize"], error.Problems.Select(problem => problem.Option.Split('.')[^1]));
        Fails(new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m")), InputSize = 448 }, "InputSize is 448");
    }

    [Fact]
    public void Load_WithSettingsThatOnnxRuntimeRefuses_NamesTheOption_NotTheModel()
    {
        var model = TinyTaggers.Write(_folder.Folder("m"));
        var options = new WdTaggerOptions { Model = model, Configure = session => session.AppendExecutionProvider_CUDA() };
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => options.Load()).Problems);
        Assert.Equal("WdTaggerOptions.Configure", problem.Option);
        Assert.Throws<InvalidOptionsException>(() => new YuNetOptions { Model = TinyMaskers.YuNet().Save(_folder.File("yunet.onnx")),
            Configure = session => session.AppendExecutionProvider("none") }.Load());
        // What the host's own code throws is the host's.
        Assert.Throws<TimeZoneNotFoundException>(() => (options with { Configure = _ => throw new TimeZoneNotFoundException() }).Load());
    }

    [Fact]
    public void Load_OfANetworkThatFailsWhenItIsTried_SaysSo()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        // Its output has no size in the file, and is of whole numbers.
        var model = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 0, 0, 3);
        var whole = model.Node("Cast", ["x"], null, ("to", (int)OnnxType.Int64));
        model.Node("Flatten", [whole], "y");
        model.Output("y", OnnxType.Int64, 0, 0).Save(Path.Combine(folder, "model.onnx"));
        Fails(new WdTaggerOptions { Model = folder }, "a trial with a blank picture fails");
        var error = Assert.Throws<InvalidFileException>(() => new WdTaggerOptions { Model = folder }.LoadFeatures("y"));
        Assert.Contains("Int64", error.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WithATextOfTheWrongKindForTags_NamesTheLine()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        File.WriteAllText(Path.Combine(folder, "selected_tags.csv"), "sky\ngrass\n");
        Fails(new WdTaggerOptions { Model = folder }, "names no columns");
        File.WriteAllBytes(Path.Combine(folder, "tags.txt"), [0xFF, 0xFE, 0x41]);
        Fails(new DeepDanbooruOptions { Model = folder }, "not UTF-8");
        File.WriteAllText(Path.Combine(folder, "tags.txt"), "\n\n");
        Fails(new DeepDanbooruOptions { Model = folder }, "lists no tags");
    }

    [Fact]
    public void Tagging_WithUnreadableImagesInTheMiddle_NamesThemAndGoesOn()
    {
        for (var i = 0; i < 9; i++) _folder.Write($"{i}.png", OnnxFolder.Plain(OnnxFolder.Blue));
        File.WriteAllText(Path.Combine(_folder.Images, "4.png"), "nothing");
        File.WriteAllBytes(Path.Combine(_folder.Images, "6.png"), File.ReadAllBytes(Path.Combine(_folder.Images, "5.png"))[..40]);
        using var tagger = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m")) }.Load();
        var report = ImageTagging.Run(new TaggingOptions { ImageFolder = _folder.Images, BatchSize = 4, Workers = 2 }, tagger);
        Assert.Equal(7, report.Files.Done);
        Assert.Equal(["4.png", "6.png"], report.Files.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.All(report.Files.Skipped, file => Assert.NotEmpty(file.Reason));
        Assert.Equal([new("alice_(wonderland)", 7), new TagCount("blue_sky", 7)], report.Frequencies);
        Assert.Equal(7, Directory.GetFiles(_folder.Images, "*.txt").Length);
    }
}
