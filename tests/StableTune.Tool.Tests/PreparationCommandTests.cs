using StableTune.Data;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Tool.Commands;

namespace StableTune.Tool.Tests;

/// <summary>Tagging, features, faces and masks as they are typed, with networks of a few numbers.</summary>
public sealed class PreparationCommandTests : ToolTests
{
    [Fact]
    public async Task TagImages_UnderTheScriptsName_WritesTags()
    {
        var images = Images(("a", 0x0000FF), ("b", 0xFF0000));
        File.WriteAllText(Path.Combine(images, "bad.png"), "nothing");
        string[] command = ["tag_images_by_wd14_tagger", images, "--repo_id", Tagger(), "--batch_size", "2", "--remove_underscore",
            "--use_rating_tags_as_last_tag", "--undesired_tags", "green grass", "--tag_replacement", "red rose,rose",
            "--character_tag_expand", "--character_tags_first", "--frequency_tags", "--onnx", "--max_data_loader_n_workers", "1"];
        Assert.Equal(0, await Run(command));
        Assert.Equal("alice, wonderland, blue sky, general\n", File.ReadAllText(Path.Combine(images, "a.txt")));
        Assert.Equal("rose, explicit\n", File.ReadAllText(Path.Combine(images, "b.txt")));
        Assert.Contains("2 done, 1 left out", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("bad.png", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("blue sky: 1", Output.ToString(), StringComparison.Ordinal);

        Assert.Equal(1, await Run(command));
        Assert.Contains("2 image(s) have a text already", Errors.ToString(), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(images, "a.txt"), "mine, blue sky\n");
        Assert.Equal(0, await Run([.. command, "--skip-existing"]));
        Assert.Equal("mine, blue sky\n", File.ReadAllText(Path.Combine(images, "a.txt")));
        Assert.Equal(0, await Run([.. command, "--append_tags"]));
        Assert.Equal("mine, blue sky, alice, wonderland, general\n", File.ReadAllText(Path.Combine(images, "a.txt")));
        Assert.Equal(0, await Run([.. command, "--overwrite", "--thresh", "1.1", "--character_threshold", "0.5"]));
        Assert.Equal("alice, wonderland, general\n", File.ReadAllText(Path.Combine(images, "a.txt")));
        var meta = Folder.File("meta.json");
        Assert.Equal(0, await Run([.. command, "--output_path", meta]));
        Assert.Equal("rose, explicit", MetadataFile.Load(meta)[Path.Combine(images, "b.png")].Tags);

        Assert.Equal(0, await Run([.. command, "--caption_extention", ".tags"]));
        Assert.Equal("rose, explicit\n", File.ReadAllText(Path.Combine(images, "b.tags")));
        Assert.Equal(1, await Run([.. command, "--append_tags", "--overwrite"]));
        Assert.Contains("--append_tags is set too, and an image has one text", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TagImages_WithTheGuidesFolderOfModels_FindsTheModelThere()
    {
        var images = Images(("a", 0x0000FF));
        TinyTaggers.Write(Folder.Folder("models", "SmilingWolf_wd-v1-4-convnext-tagger-v2"));
        Assert.Equal(0, await Run("tag-images-by-wd14-tagger", images, "--model_dir", Folder.File("models")));
        Assert.Equal("blue_sky, alice_(wonderland)\n", File.ReadAllText(Path.Combine(images, "a.txt")));
    }

    [Fact]
    public async Task TagImages_WithAModelDirectlyInThatFolder_TakesItOnlyWhereNoneIsNamed()
    {
        var (images, models) = (Images(("a", 0x0000FF)), TinyTaggers.Write(Folder.Folder("models")));
        Assert.Equal(0, await Run("tag-images-by-wd14-tagger", images, "--model_dir", models));
        Assert.Equal("blue_sky, alice_(wonderland)\n", File.ReadAllText(Path.Combine(images, "a.txt")));

        var named = TinyTaggers.Write(Folder.Folder("named"));
        File.WriteAllText(Path.Combine(named, "selected_tags.csv"),
            TinyTaggers.Table.Replace("blue_sky", "sea", StringComparison.Ordinal));
        Assert.Equal(0, await Run("tag-images-by-wd14-tagger", images, "--overwrite", "--model_dir", models, "--repo_id", named));
        Assert.Equal("sea, alice_(wonderland)\n", File.ReadAllText(Path.Combine(images, "a.txt")));
    }

    [Fact]
    public void Model_ThatIsToBeDownloadedAnew_IsNotTakenFromTheFolder()
    {
        var models = TinyTaggers.Write(Folder.Folder("models"));
        TinyTaggers.Write(Folder.Folder("models", "o_n"));
        Assert.Equal((Path.Combine(models, "o_n"), new()), PreparationWords.Model("o/n", isGiven: true, models, renew: false));
        Assert.Equal(("o/n", new() { CacheFolder = models, CheckForUpdates = true }),
            PreparationWords.Model("o/n", isGiven: true, models, renew: true));
        Assert.Equal("o/other", PreparationWords.Model("o/other", isGiven: false, models, renew: true).Model);
    }

    [Fact]
    public async Task DeepDanbooru_AsTheGuideTypesIt_WritesTags()
    {
        var (images, model) = (Images(("a", 0xFFFFFF)), Folder.Folder("dd"));
        var network = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 8, 8, 3);
        network.Node("ReduceMean", ["x"], "y", ("axes", (int[])[1, 2]), ("keepdims", 0));
        network.Output("y", OnnxType.Float, 0, 3).Save(Path.Combine(model, "model.onnx"));
        File.WriteAllText(Path.Combine(model, "tags.txt"), "1girl\nlong_hair\nrating:safe\n");
        Assert.Equal(0, await Run("deepdanbooru", "evaluate", images, "--project-path", model, "--allow-folder", "--save-txt"));
        Assert.Equal("1girl, long_hair, rating:safe\n", File.ReadAllText(Path.Combine(images, "a.txt")));
        Assert.Equal(2, await Run("deepdanbooru", "train", images, "--project-path", model));
    }

    [Theory]
    [InlineData("create_pfg_feature")]
    [InlineData("tagger_control")]
    [InlineData("create-pfg-feature")]
    public async Task CreatePfgFeature_WritesWhatTheTaggerSaw(string name)
    {
        var images = Images(("a", 0x102030));
        Assert.Equal(0, await Run(name, "-d", images, "-o", Folder.File("pfg"), "-i", "8", "-b", "4", "--repo_id", Tagger()));
        Assert.Equal([0x30, 0x20, 0x10], PromptFreeFeatures.Read(Folder.File("pfg", "a.npz")));
        Assert.Equal(1, await Run(name, "-d", images, "-o", Folder.File("pfg"), "--repo_id", Tagger()));
        Assert.Equal(1, await Run(name, "-d", images, "-o", Folder.File("other"), "-i", "448", "--repo_id", Tagger()));
        Assert.Contains("InputSize is 448", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Faces_AreCut_AndMasked()
    {
        var (images, model) = (Folder.Folder("images"), TinyMaskers.YuNet().Save(Folder.File("yunet.onnx")));
        var picture = new PixelImage(64, 64);
        for (var y = 32; y < 40; y++) picture.Row(y).Slice(3 * 24, 24).Fill(255);
        ImageFile.SavePng(Path.Combine(images, "anna.png"), picture);
        Assert.Equal(0, await Run("detect_face_rotate", "--src_dir", images, "--dst_dir", Folder.File("cut"), "--model", model,
            "--detector", "photographs", "--rotate", "--crop_size", "48,48", "--min_size", "10", "--multiple_faces"));
        Assert.Equal("anna_01_0024_0024_0024_0032.png", Path.GetFileName(Assert.Single(Directory.GetFiles(Folder.File("cut")))));
        Assert.Equal(0, await Run("create_mask", "--path", images, "--output_path", Folder.File("mask"), "--model", model, "--detector",
            "photographs"));
        using (var file = NpzFile.Open(Folder.File("mask", "anna.npz"))) Assert.Equal([8L, 8], file.ReadArray("arr_0").Shape);
        Assert.Equal(0, await Run("create-mask", "-p", images, "-o", Folder.File("png"), "--model", model, "--png",
            "--background", "0.2", "--detector", "photographs"));
        var drawings = TinyMaskers.Yolo(0, 1).Save(Folder.File("yolo.onnx"));
        Assert.Equal(0, await Run("detect_face_rotate", "--src_dir", images, "--dst_dir", Folder.File("drawn"), "--model", drawings,
            "--crop_ratio", "1,1"));
        Assert.Equal("anna_0008_0008_0016_0012.png", Path.GetFileName(Assert.Single(Directory.GetFiles(Folder.File("drawn")))));
        Assert.Equal(1, await Run("detect_face_rotate", "--src_dir", images, "--dst_dir", Folder.File("x"), "--model", drawings,
            "--rotate"));
        Assert.Contains("does not know where eyes are", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(51, ImageFile.Load(Folder.File("png", "anna.png")).Pixels[0]);
        Assert.Equal(1, await Run("detect-face-rotate", "--src_dir", images, "--dst_dir", Folder.File("x"), "--crop_size", "48"));
        Assert.Contains("--crop_size is \"48\"", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Run("create-mask", "-p", images, "-o", Folder.File("x"), "--model", Folder.File("none.onnx")));
        Assert.Contains("none.onnx: there is no such file", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MakeMasks_OfTheForeground_AndOfWords()
    {
        var (images, model) = (Folder.Folder("images"), TinyMaskers.Foreground().Save(Folder.File("u2net.onnx")));
        var picture = new PixelImage(32, 32);
        for (var y = 0; y < 32; y++) picture.Row(y)[..48].Fill(255);
        ImageFile.SavePng(Path.Combine(images, "a.png"), picture);
        Assert.Equal(0, await Run("make-masks", "--src_dir", images, "--dst_dir", Folder.File("masks"), "--model", model));
        Assert.Equal((255, 0), Ends("masks"));
        Assert.Equal(0, await Run("make-masks", "--src_dir", images, "--dst_dir", Folder.File("centered"), "--model", model, "--scaling",
            "centered"));
        Assert.Equal((255, 0), Ends("centered"));
        var bright = Models.ClipTokenizer.Sd1().EncodeBody("light")[0];
        var clipSeg = TinyMaskers.ClipSeg(bright).Save(Folder.File("clipseg.onnx"));
        Assert.Equal(0, await Run("make-masks", "--src_dir", images, "--dst_dir", Folder.File("words"), "--model", clipSeg,
            "--prompts", "the dark", "night"));
        Assert.Equal((0, 255), Ends("words"));
        Assert.Equal(1, await Run("make-masks", "--src_dir", images, "--dst_dir", Folder.File("x"), "--model", clipSeg, "--prompts", "a",
            "--scaling", "imagenet"));
        Assert.Contains("--scaling is \"imagenet\"", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Run("make-masks", "--src_dir", images, "--dst_dir", Folder.File("x"), "--model", model, "--threshold", "2"));
        Assert.Contains("Threshold", Errors.ToString(), StringComparison.Ordinal);

        (int Left, int Right) Ends(string folder)
        {
            var row = ImageFile.Load(Folder.File(folder, "a.png")).Row(16);
            return (row[6], row[^6]);
        }
    }

    private string Tagger() => TinyTaggers.Write(Folder.Folder("tagger"));

    private string Images(params (string Name, int Colour)[] pictures)
    {
        var folder = Folder.Folder("images");
        foreach (var (name, colour) in pictures)
            ImageFile.SavePng(Path.Combine(folder, name + ".png"), new Canvas(12, 12, PixelColor.FromRgb(colour)).Image);
        return folder;
    }
}
