using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing.Blip;

/// <summary>Where BLIP models come from, and what is said of those that are none.</summary>
public sealed class BlipLoadingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Names_OfBothLayouts_AreTheModels()
    {
        using var model = new BlipModel(BlipOptions.Tiny);
        var own = model.state_dict().Keys.ToHashSet();
        var seen = new HashSet<string>();
        foreach (var row in TinyBlip.Read("hf-equal.json").GetProperty("keys").EnumerateArray())
        {
            var (original, hub) = (row[0].GetString()!, row[1].GetString()!);
            Assert.Equal(BlipNames.OfModel(original), BlipNames.OfModel(hub));
            if (BlipNames.OfModel(original) is not { } name) continue;
            Assert.Equal(hub, name);
            Assert.True(seen.Add(name));
        }

        Assert.Equal(own.Order(), seen.Order());
        Assert.Null(BlipNames.OfModel("text_encoder.embeddings.word_embeddings.weight"));
    }

    [Theory]
    [InlineData("hf")]
    [InlineData("hf-equal")]
    public void Folders_WithEitherFileOfWeights_AreRead_ByTheFileToo(string kind)
    {
        var folder = kind == "hf" ? Fixtures.Path("blip", "hf") : TinyBlip.HubFolder(_folder);
        var file = Path.Combine(folder, kind == "hf" ? "model.safetensors" : "pytorch_model.bin");
        var options = new BlipCaptionerOptions { Decoding = new BeamSearch { MaxLength = 20 } };
        using var byFolder = BlipCaptioner.Load(folder, options);
        using var byFile = BlipCaptioner.Load(file, options);
        var images = new[] { TinyBlip.Image("b.png") };
        Assert.Equal(byFolder.Caption(images, CancellationToken.None), byFile.Caption(images, CancellationToken.None));
        Assert.All(byFolder.Model.parameters(), parameter => Assert.False(parameter.requires_grad));
    }

    [Fact]
    public void NamesOnTheHub_AreFetchedOnce_WithoutWhatIsNotNeeded()
    {
        using var hub = new FakeHub();
        hub.AddFolder(TinyBlip.HubFolder(_folder));
        hub.AddText("README.md", "a model");
        hub.Add("tf_model.h5", 1000);
        var options = new BlipCaptionerOptions
        {
            Decoding = new BeamSearch { MaxLength = 20 },
            Hub = new() { Endpoint = hub.Server.Address, CacheFolder = _folder.File("cache"), Token = "" },
        };
        using (var captioner = BlipCaptioner.Load(FakeHub.Name, options))
            Assert.Equal("man are eatingk", captioner.Caption([TinyBlip.Image("b.png")], CancellationToken.None).Single());
        Assert.Equal(0, hub.Server.CountOf(FakeHub.FilePath("README.md")));
        Assert.Equal(0, hub.Server.CountOf(FakeHub.FilePath("tf_model.h5")));
        using var again = BlipCaptioner.Load(FakeHub.Name, options with { Hub = options.Hub with { Offline = true } });
        Assert.Equal("man are eatingk", again.Caption([TinyBlip.Image("b.png")], CancellationToken.None).Single());
        var missing = Assert.Throws<InvalidFileException>(() => BlipCaptioner.Load("frog/red", options));
        Assert.StartsWith("frog/red: there is no file or folder of this name", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SingleFiles_TakeTheVocabularyBesideThem_OrTheHubs()
    {
        var file = _folder.File("tiny.pth");
        File.Copy(TinyBlip.File, file);
        using var hub = new FakeHub();
        hub.AddFile("vocab.txt", Fixtures.Path("blip", "vocab.txt"));
        var options = new BlipCaptionerOptions
        {
            Architecture = TinyBlip.Architecture(), Decoding = new BeamSearch(), Vocabulary = FakeHub.Name,
            Hub = new() { Endpoint = hub.Server.Address, CacheFolder = _folder.File("cache"), Token = "" },
        };
        string Said(BlipCaptionerOptions how)
        {
            using var captioner = BlipCaptioner.Load(file, how);
            return captioner.Caption([TinyBlip.Image("d.png")], CancellationToken.None).Single();
        }

        Assert.Equal("chair", Said(options));
        var unknown = Assert.Throws<InvalidFileException>(() => Said(options with { Vocabulary = null }));
        Assert.StartsWith("google-bert/bert-base-uncased:", unknown.Message, StringComparison.Ordinal);
        File.Copy(Fixtures.Path("blip", "vocab.txt"), _folder.File("vocab.txt"));
        Assert.Equal("chair", Said(options with { Vocabulary = null }));
    }

    [Fact]
    public void Architecture_OfAFile_IsSeenInItsShapes()
    {
        using (var model = new BlipModel(new()
        {
            Vision = new() { ImageSize = 48, PatchSize = 16, HiddenSize = 128, IntermediateSize = 60, Layers = 3, Heads = 2 },
            Text = new() { VocabularySize = 120, HiddenSize = 64, IntermediateSize = 70, Layers = 1, Heads = 1, PositionRows = 30 },
        }))
            StateDictWriter.Save(_folder.File("seen.safetensors"), model.state_dict().Select(entry => (entry.Key, entry.Value)));
        using var captioner = BlipCaptioner.Load(_folder.File("seen.safetensors"),
            new() { Vocabulary = Fixtures.Path("blip", "hf"), Decoding = new BeamSearch { MaxLength = 20 } });
        var seen = captioner.Model.Options;
        Assert.Equal((48, 16, 128, 60, 3, 2),
            (seen.Vision.ImageSize, seen.Vision.PatchSize, seen.Vision.HiddenSize, seen.Vision.IntermediateSize, seen.Vision.Layers,
                seen.Vision.Heads));
        Assert.Equal((120, 64, 70, 1, 1, 30), (seen.Text.VocabularySize, seen.Text.HiddenSize, seen.Text.IntermediateSize, seen.Text.Layers,
            seen.Text.Heads, seen.Text.PositionRows));
        captioner.Caption([TinyBlip.Image("a.png")], CancellationToken.None);
    }

    [Theory]
    [InlineData("vision_model.post_layernorm.weight", float.PositiveInfinity, "is broken")]
    [InlineData(BlipNames.Positions, float.NaN, "is broken")]
    [InlineData(BlipNames.Words, float.NaN, "is broken")]
    [InlineData("vision_model.post_layernorm.weight", 1e5f, "does not fit into Float16")]
    public void Numbers_ThatAreNone_AreNamed(string name, float number, string fault)
    {
        var path = _folder.File("broken.safetensors");
        using (var model = new BlipModel(BlipOptions.Tiny))
        {
            using (no_grad()) model.state_dict()[name].view(-1)[2] = number;
            var tensors = model.state_dict().Select(entry => (entry.Key, entry.Value)).ToList();
            if (name == BlipNames.Words) tensors.Add((BlipNames.TiedWords, model.state_dict()[name].clone()));
            StateDictWriter.Save(path, tensors);
        }

        var told = Assert.Throws<InvalidFileException>(() => BlipCaptioner.Load(path, new()
        {
            Architecture = BlipOptions.Tiny, Vocabulary = Fixtures.Path("blip", "hf"), WeightType = ScalarType.Float16,
        })).Message;
        Assert.Contains(path, told, StringComparison.Ordinal);
        Assert.Contains($"'{name}' {fault}", told, StringComparison.Ordinal);
    }

    [Fact]
    public void ImageSize_OfAnotherNumberOfPlaces_ResizesThePositions()
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("blip", "original.safetensors");
        using var captioner = BlipCaptioner.Load(TinyBlip.File, new()
        {
            Architecture = TinyBlip.Architecture(), Vocabulary = Fixtures.Path("blip", "vocab.txt"), ImageSize = 48,
        });
        golden.AssertClose("image_embeds_48", captioner.Model.call(golden["pixel_values_48"]), 1e-5, relativeToMax: true);
        Assert.Equal(new PixelSize(48, 48), captioner.Prepare(TinyBlip.Image("a.png")).Size);
        var fault = Assert.Throws<InvalidOptionsException>(() => BlipCaptioner.Load(TinyBlip.File, new()
        {
            Architecture = TinyBlip.Architecture(), Vocabulary = Fixtures.Path("blip", "vocab.txt"), ImageSize = 33,
        }));
        Assert.Contains("BlipCaptionerOptions.ImageSize is 33: the side must be a multiple of 8", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_ThatAreNoModels_AreNamed()
    {
        Refused("no such file or folder", "./nothing.pth");
        Refused("it is no name on the hub", "nothing at all/x");
        File.WriteAllText(_folder.File("text.pth"), "not a model");
        Refused("text.pth", _folder.File("text.pth"));
        File.WriteAllBytes(_folder.File("half.pth"), File.ReadAllBytes(TinyBlip.File)[..100_000]);
        Refused("half.pth", _folder.File("half.pth"));
        Refused("this is no BLIP captioning model: it has no tensor 'vision_model.embeddings.position_embedding'",
            Fixtures.Path("networks", "lora_files", "lora_a.safetensors"));
        Refused("24 wide, and how many heads it has cannot be seen. Set BlipCaptionerOptions.Architecture", TinyBlip.File);
        Refused("has no config.json", _folder.Folder("bare"));
        var fault = Assert.Throws<InvalidOptionsException>(() => BlipCaptioner.Load(Fixtures.Path("blip", "hf"),
            new() { Architecture = TinyBlip.Architecture() }));
        Assert.Contains("BlipCaptionerOptions.Architecture", fault.Message, StringComparison.Ordinal);
        var wide = Assert.Throws<WeightsDoNotFitException>(() => BlipCaptioner.Load(TinyBlip.File, new()
        {
            Architecture = TinyBlip.Architecture() with { Vision = TinyBlip.Architecture().Vision with { Layers = 3 } },
            Vocabulary = Fixtures.Path("blip", "vocab.txt"),
        }));
        Assert.Contains("vision_model.encoder.layers.2", wide.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vision_config.hidden_size", "\"wide\"", "\"hidden_size\" is \"wide\" instead of a whole number")]
    [InlineData("vision_config.hidden_size", "2000000000", "HiddenSize")]
    [InlineData("vision_config.num_hidden_layers", "1000000000", "1 to 512 layers")]
    [InlineData("vision_config.layer_norm_eps", "0", "\"layer_norm_eps\" is 0 instead of a small number above 0")]
    [InlineData("vision_config", "[]", "\"vision_config\" is [] instead of an object")]
    [InlineData("text_config.hidden_act", "\"maxout\"", "the activation is not known")]
    [InlineData("text_config.vocab_size", "118", "the vocabulary goes up to 117, the start token is 118")]
    [InlineData("text_config.num_hidden_layers", "1", "text_decoder.bert.encoder.layer.1")]
    [InlineData("text_config.intermediate_size", "65", "intermediate.dense.weight: the model has [65, 32], the file [64, 32]")]
    public void Configurations_ThatDoNotFit_AreNamed(string key, string value, string fault)
    {
        var folder = TinyBlip.HubFolder(_folder);
        var path = Path.Combine(folder, "config.json");
        var root = JsonNode.Parse(File.ReadAllText(path))!;
        var keys = key.Split('.');
        if (keys.Length == 1) root[key] = JsonNode.Parse(value);
        else root[keys[0]]![keys[1]] = JsonNode.Parse(value);
        File.WriteAllText(path, root.ToJsonString());
        Refused(fault, folder);
    }

    [Fact]
    public void Folders_WithFaultyFiles_AreNamed()
    {
        var folder = TinyBlip.HubFolder(_folder);
        var preprocessor = Path.Combine(folder, "preprocessor_config.json");
        File.WriteAllText(preprocessor, "{\"resample\": 2}");
        Refused("preprocessor_config.json: \"resample\" is 2", folder);
        File.WriteAllText(preprocessor, "{\"image_mean\": [1, 2]}");
        Refused("\"image_mean\" is [1, 2] instead of three numbers", folder);
        File.Delete(preprocessor);
        BlipCaptioner.Load(folder).Dispose();
        File.WriteAllText(Path.Combine(folder, "config.json"), "{\"vision_config\": {");
        Refused("config.json: not JSON", folder);
        File.Copy(Fixtures.Path("blip", "hf", "config.json"), Path.Combine(folder, "config.json"), overwrite: true);
        File.Delete(Path.Combine(folder, "vocab.txt"));
        Refused("vocab.txt: the file is missing", folder);
        File.Delete(Path.Combine(folder, "pytorch_model.bin"));
        Refused("holds no weights", folder);
    }

    [Fact]
    public void Files_WithTwoTablesOfWords_AreRefused()
    {
        using var scope = NewDisposeScope();
        var folder = TinyBlip.HubFolder(_folder);
        using (var file = WeightFile.Open(Path.Combine(folder, "pytorch_model.bin")))
        {
            var all = file.LoadAll().ToDictionary(entry => entry.Key, entry => entry.Value);
            all[BlipNames.TiedWords] = all[BlipNames.TiedWords] + 1;
            StateDictWriter.Save(Path.Combine(folder, "model.safetensors"), all.Select(entry => (entry.Key, entry.Value)));
        }

        Refused("BLIP has one table for both", folder);
    }

    private static void Refused(string part, string model)
    {
        var fault = Assert.ThrowsAny<IOException>(() => BlipCaptioner.Load(model, new() { Decoding = new BeamSearch { MaxLength = 20 },
            Hub = new() { Offline = true } }));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }
}
