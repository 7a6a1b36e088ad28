using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Tokenizers from another place than the model, known models under other names, and a folder that keeps tokenizers.</summary>
public sealed class TokenizerPlaceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeHub _hub = new();

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    private ModelLoadOptions Options => new()
    {
        Parts = ModelParts.TextEncoder,
        Hub = new HubOptions
        {
            Endpoint = _hub.Server.Address, CacheFolder = _folder.Folder("cache"), Offline = false, Token = "",
            RetryDelay = TimeSpan.FromMilliseconds(1),
        },
    };

    [Theory]
    [InlineData("")]
    [InlineData("tokenizer/")]
    public void Load_TokenizerOfTheHub_FetchesNothingElse_AndIsUsed(string place)
    {
        AddTokenizer(place);
        _hub.Add("model.safetensors", 1000);
        var name = FakeHub.Name + (place.Length > 0 ? "/tokenizer" : "");
        Assert.Empty(ModelLoader.Check(Model, Options with { TokenizerPath = name }));
        Assert.Empty(_hub.Server.Requests);
        using var model = ModelLoader.Load(Model, Options with { TokenizerPath = name });
        Assert.Equal(998, model.Tokenizer.EncodeBody("a <other>")[^1]);
        Assert.Equal(0, _hub.Server.CountOf(FakeHub.FilePath("model.safetensors")));
    }

    [Fact]
    public void Load_FolderOfTokenizers_IsFilled_AndLookedAtFirst()
    {
        AddTokenizer("");
        var options = Options with { TokenizerPath = FakeHub.Name, TokenizerCacheFolder = _folder.Folder("tokenizers") };
        using (var first = ModelLoader.Load(Model, options)) Assert.Equal(998, first.Tokenizer.EncodeBody("<other>")[^1]);
        var kept = Path.Combine(_folder.Folder("tokenizers"), FakeHub.Name.Replace('/', '_'));
        Assert.True(File.Exists(Path.Combine(kept, "vocab.json")));
        _hub.Server.Dispose();
        File.WriteAllText(Path.Combine(kept, "added_tokens.json"), "{\"<kept>\": 997}");
        using var second = ModelLoader.Load(Model,
            options with { Hub = options.Hub! with { Offline = true, CacheFolder = _folder.Folder("none") } });
        Assert.Equal(997, second.Tokenizer.EncodeBody("<kept>")[^1]);
    }

    [Fact]
    public void Load_SingleFile_PutsTheBuiltInTokenizerIntoTheFolder_AndTakesItFromThere()
    {
        // The tiny model's embedding has 1000 rows, the published tokenizer 49408: only what is kept for it fits.
        var kept = Path.Combine(_folder.Folder("tokenizers"), "openai_clip-vit-large-patch14");
        var options = new ModelLoadOptions
        {
            TokenizerCacheFolder = _folder.Folder("tokenizers"), ConfigurationPath = Configurations(), Parts = ModelParts.TextEncoder,
        };
        Assert.Contains(ModelLoader.Check(FixtureModels.SingleFile("tiny-sd15"), options), problem =>
            problem.ToString().Contains("49407", StringComparison.Ordinal));
        Assert.Equal(ClipTokenizer.Sd1().Encode("a frog!"), ClipTokenizer.FromFolder(kept).Encode("a frog!"));
        Directory.Delete(kept, recursive: true);
        ClipVocabulary.WriteFiles(kept, FixtureModels.TinyMergeCount);
        using var model = ModelLoader.Load(FixtureModels.SingleFile("tiny-sd15"), options);
        Assert.Equal(999, model.Tokenizer.LargestId);
    }

    [Fact]
    public void Validate_NeitherFolderNorName_IsNamed()
    {
        Assert.Equal("ModelLoadOptions.TokenizerPath",
            Assert.Single(new ModelLoadOptions { TokenizerPath = "./nowhere" }.Validate()).Option);
        Assert.Empty(new ModelLoadOptions { TokenizerPath = "openai/clip-vit-large-patch14" }.Validate());
        var file = _folder.File("file");
        File.WriteAllText(file, "");
        Assert.Equal("ModelLoadOptions.TokenizerCacheFolder",
            Assert.Single(new ModelLoadOptions { TokenizerCacheFolder = file }.Validate()).Option);
    }

    [Fact]
    public void Load_RepositoryWithoutTokenizer_SaysSo()
    {
        _hub.AddText("tokenizer_config.json", "{}");
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(Model, Options with { TokenizerPath = FakeHub.Name }));
        Assert.Contains("holds no tokenizer", error.Message);
    }

    [Theory]
    [InlineData("naclbit/trinart_stable_diffusion_v2_60k", "naclbit/trinart_stable_diffusion_v2:diffusers-60k", "DDIMScheduler")]
    [InlineData("naclbit/trinart_stable_diffusion_v2_115k", "naclbit/trinart_stable_diffusion_v2:diffusers-115k", "DDIMScheduler")]
    [InlineData("hakurei/waifu-diffusion-v1-3", "hakurei/waifu-diffusion-v1-3/wd-v1-3-float32.ckpt", "PNDMScheduler")]
    public void Find_NamesOfPpdiffusers_AreThoseOfTheHub(string name, string address, string scheduler)
    {
        var known = KnownModel.Find(name)!;
        Assert.Equal((address, scheduler), (known.Address, known.Scheduler));
        Assert.Null(KnownModel.Find("runwayml/stable-diffusion-v1-5"));
        // The message of a name that cannot be reached tells what it stands for.
        _hub.Dispose();
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(name, Options with
        {
            Hub = Options.Hub! with { Offline = true },
        }));
        Assert.Contains(address.Split(':')[0], error.Message);
    }

    [Fact]
    public void Load_AKnownModel_DrawsWithItsSampler()
    {
        var path = Model;
        using var plain = ModelLoader.Load(path);
        Assert.Equal("PNDMScheduler", plain.Scheduler.ClassName);
        // As the shared cache holds it: a snapshot of a commit, which the branch points to.
        var repository = Path.Combine(_folder.Folder("cache"), "models--naclbit--trinart_stable_diffusion_v2");
        var commit = new string('a', 40);
        Directory.CreateDirectory(Path.Combine(repository, "refs"));
        File.WriteAllText(Path.Combine(repository, "refs", "diffusers-60k"), commit);
        Directory.CreateDirectory(Path.Combine(repository, "snapshots"));
        Directory.Move(path, Path.Combine(repository, "snapshots", commit));
        using var model = ModelLoader.Load("naclbit/trinart_stable_diffusion_v2_60k", Options with
        {
            Parts = ModelParts.All, Hub = Options.Hub! with { Offline = true },
        });
        Assert.Equal("DDIMScheduler", model.Scheduler.ClassName);
    }

    private string Model => _folder.File("tiny-sd15") is var path && Directory.Exists(path) ? path : FixtureModels.TinySd15(_folder);

    private void AddTokenizer(string place)
    {
        var folder = _folder.Folder("source");
        ClipVocabulary.WriteFiles(folder, FixtureModels.TinyMergeCount);
        foreach (var file in Directory.GetFiles(folder)) _hub.AddText(place + Path.GetFileName(file), File.ReadAllText(file));
        _hub.AddText(place + "added_tokens.json", "{\"<other>\": 998}");
    }

    /// <summary>The tiny model's configurations without its tokenizer.</summary>
    private string Configurations()
    {
        var folder = _folder.Folder("configurations");
        foreach (var part in new[] { "unet", "vae", "text_encoder" })
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
            File.Copy(Path.Combine(Model, part, "config.json"), Path.Combine(folder, part, "config.json"), overwrite: true);
        }

        return folder;
    }
}
