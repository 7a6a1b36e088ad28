using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Files of textual inversion: those of others, and what comes back of ours.</summary>
public sealed class EmbeddingFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("embedding_saved.safetensors", "embedding_saved")]
    [InlineData("embedding_saved.pt", "embedding_saved")]
    [InlineData("embedding_webui_style.pt", "sksdog")]
    public void Read_FilesOfOthers_HoldTheSameNumbers(string name, string word)
    {
        using var expected = Golden.Open("training", "textual_inversion", "embedding_saved.safetensors");
        using var embedding = EmbeddingFile.Read(Fixtures.Path("training", "textual_inversion", name));
        Assert.Equal((word, 2, false), (embedding.Word, embedding.Vectors, embedding.IsPerLayer));
        Assert.Null(embedding.SecondRows);
        expected.AssertEqual("emb_params", embedding.Rows);
    }

    [Theory]
    [InlineData("a.safetensors", null, "emb_params")]
    [InlineData("a.pt", null, "emb_params")]
    [InlineData("a.ckpt", EmbeddingFormat.SdScripts, "emb_params")]
    [InlineData("a.bin", null, "<frog>")]
    [InlineData("a.safetensors", EmbeddingFormat.Diffusers, "<frog>")]
    [InlineData("a.pt", EmbeddingFormat.WebUi, null)]
    public void Save_EachForm_ComesBack(string name, EmbeddingFormat? format, string? key)
    {
        using var scope = NewDisposeScope();
        using var embedding = new WordEmbedding(arange(3 * 8).to(ScalarType.Float32).view(3, 8) / 7) { Word = "<frog>" };
        var path = _folder.File(name);
        EmbeddingWriter.Save(path, embedding, new EmbeddingSaveOptions { Format = format, Step = 12 });
        if (key is not null)
        {
            using var file = WeightFile.Open(path);
            Assert.Equal([key], file.Names);
        }

        using var read = EmbeddingFile.Read(path);
        Assert.Equal(key == "emb_params" ? "a" : "<frog>", read.Word);
        Assert.Equal(Numbers(embedding.Rows), Numbers(read.Rows));
    }

    [Fact]
    public void Save_ForWebUis_WritesWhatTheyWrite()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("frog.pt");
        using (var embedding = new WordEmbedding(ones(2, 48)) { Word = "frog" })
            EmbeddingWriter.Save(path, embedding, new EmbeddingSaveOptions { Format = EmbeddingFormat.WebUi, Step = 300 });
        using var ours = TorchFile.Open(path);
        using var theirs = TorchFile.Open(Fixtures.Path("training", "textual_inversion", "embedding_webui_style.pt"));
        Assert.Equal(Keys(theirs), Keys(ours));
        Assert.Equal("300", Entry(ours, "step").ToString());
        Assert.Equal("265", Entry(ours, "string_to_token.*").ToString());

        static string[] Keys(TorchFile file) => [.. ((PickleDictionary)file.Root).Select(entry => $"{entry.Key}: {entry.Value.TypeName}")
            .Where(entry => !entry.Contains("'name'", StringComparison.Ordinal))];
        static PickleValue Entry(TorchFile file, string path) => path.Split('.').Aggregate(file.Root, (value, key) =>
            ((PickleDictionary)value).TryGet(key, out var inner) ? inner : throw new KeyNotFoundException(key));
    }

    [Theory]
    [InlineData("xl.safetensors", null)]
    [InlineData("xl.pt", EmbeddingFormat.WebUi)]
    [InlineData("xl.bin", null)]
    public void Save_Sdxl_IsBothEncoders_InEveryForm(string name, EmbeddingFormat? format)
    {
        using var scope = NewDisposeScope();
        using var embedding = new WordEmbedding(ones(2, 768), full([2, 1280], 2.5)) { Word = "frog" };
        EmbeddingWriter.Save(_folder.File(name), embedding, new EmbeddingSaveOptions { Format = format, Type = ScalarType.Float16 });
        using (var file = WeightFile.Open(_folder.File(name)))
        {
            Assert.Equal(["clip_g", "clip_l"], file.Names.Order());
            Assert.All(file.Tensors, tensor => Assert.Equal(TensorDType.F16, tensor.DType));
        }

        using var read = EmbeddingFile.Read(_folder.File(name));
        Assert.Equal([2, 1280], read.SecondRows!.shape);
        Assert.Equal(2.5f, read.SecondRows.max().item<float>());
    }

    [Fact]
    public void Save_PerLayer_NamesTheLayers_AndComesBack()
    {
        using var scope = NewDisposeScope();
        using var embedding = new WordEmbedding(arange(16 * 2 * 4).to(ScalarType.Float32).view(16, 2, 4));
        EmbeddingWriter.Save(_folder.File("xti.safetensors"), embedding);
        using (var file = WeightFile.Open(_folder.File("xti.safetensors")))
        {
            Assert.Equal(CrossAttentionLayers.Of(UNetOptions.Sd15).Order(), file.Names.Order());
            using var mid = file.Load("MID");
            Assert.Equal(Numbers(embedding.Rows.select(0, 6)), Numbers(mid));
        }

        using var read = EmbeddingFile.Read(_folder.File("xti.safetensors"));
        Assert.True(read.IsPerLayer);
        Assert.Equal(Numbers(embedding.Rows), Numbers(read.Rows));
    }

    [Fact]
    public void ReadAll_BundledEmbeddingsOfALoRA_AndSeveralWordsOfDiffusers()
    {
        using var scope = NewDisposeScope();
        Write("lora.safetensors", ("lora_unet_x.lora_up.weight", ones(4, 1)), ("bundle_emb.cat.clip_l", ones(2, 768)),
            ("bundle_emb.cat.clip_g", ones(2, 1280)), ("bundle_emb.dog.emb_params", ones(3, 768)),
            ("bundle_emb.owl.string_to_param.*", ones(1, 768)));
        var bundled = EmbeddingFile.ReadAll(_folder.File("lora.safetensors"));
        Assert.Equal(["cat: 2 True", "dog: 3 False", "owl: 1 False"],
            bundled.Select(embedding => $"{embedding.Word}: {embedding.Vectors} {embedding.SecondRows is not null}").Order());
        foreach (var embedding in bundled) embedding.Dispose();

        Write("two.safetensors", ("<cat>", ones(768)), ("<dog>", ones(2, 768)));
        var several = EmbeddingFile.ReadAll(_folder.File("two.safetensors"));
        Assert.Equal(["<cat> 1", "<dog> 2"], several.Select(embedding => $"{embedding.Word} {embedding.Vectors}").Order());
        foreach (var embedding in several) embedding.Dispose();
        var error = Assert.Throws<InvalidFileException>(() => EmbeddingFile.Read(_folder.File("two.safetensors")));
        Assert.Contains("2 embeddings", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("clip_l", "\"clip_g\" is missing")]
    [InlineData("clip_g", "\"clip_l\" is missing")]
    [InlineData("lora_unet_x.lora_up.weight", "emb_params is missing")]
    public void Read_WhatIsNoWholeEmbedding_IsNamed(string name, string told)
    {
        using var scope = NewDisposeScope();
        Write("odd.safetensors", (name, ones(2, 768)));
        var error = Assert.Throws<InvalidFileException>(() => EmbeddingFile.Read(_folder.File("odd.safetensors")));
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_folder.File("odd.safetensors"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_BrokenFiles_AreNamed()
    {
        using var scope = NewDisposeScope();
        string Fault(string name, params (string, Tensor)[] tensors)
        {
            Write(name, tensors);
            return Assert.Throws<InvalidFileException>(() => EmbeddingFile.Read(_folder.File(name))).Fault;
        }

        var nan = ones(2, 8);
        nan[1, 3] = float.NaN;
        Assert.Contains("'emb_params' is broken", Fault("nan.safetensors", ("emb_params", nan)), StringComparison.Ordinal);
        Assert.Contains("[2, 3, 4]", Fault("dims.safetensors", ("emb_params", ones(2, 3, 4))), StringComparison.Ordinal);
        Assert.Contains("emb_params", Fault("ints.safetensors", ("emb_params", ones(2, 3).to(ScalarType.Int64))), StringComparison.Ordinal);
        Assert.Contains("as many in both", Fault("counts.safetensors", ("clip_l", ones(2, 8)), ("clip_g", ones(3, 8))),
            StringComparison.Ordinal);
        Assert.Contains("all must be alike", Fault("layers.safetensors", ("IN01", ones(2, 8)), ("MID", ones(3, 8))),
            StringComparison.Ordinal);
        TorchWriter.Write(_folder.File("empty.pt"), new PickleDictionary([new("string_to_param", new PickleDictionary([]))]));
        var empty = Assert.Throws<InvalidFileException>(() => EmbeddingFile.Read(_folder.File("empty.pt")));
        Assert.Contains("string_to_param", empty.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Save_WhatCannotBeWritten_IsToldWithItsRemedy()
    {
        using var scope = NewDisposeScope();
        using var embedding = new WordEmbedding(ones(2, 8));
        string Error(string name, EmbeddingFormat? format) => Assert.Throws<ArgumentException>(() =>
            EmbeddingWriter.Save(_folder.File(name), embedding, new EmbeddingSaveOptions { Format = format })).Message;
        Assert.Contains(".safetensors or .pt", Error("a.png", null), StringComparison.Ordinal);
        Assert.Contains("End the path with .pt", Error("a.safetensors", EmbeddingFormat.WebUi), StringComparison.Ordinal);
        Assert.Contains("needs the embedding's word", Error("a.bin", null), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Folder("none")));
    }

    [Fact]
    public void AddEmbedding_FilesForOtherModels_AreRefusedByName_AndLeaveNoTrace()
    {
        using var scope = NewDisposeScope();
        using var model = ModelLoader.Load(
            FixtureModels.TinySd15(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder | ModelParts.UNet });
        string Fault(string name, params (string, Tensor)[] tensors)
        {
            Write(name, tensors);
            return Assert.Throws<InvalidFileException>(() => model.AddEmbedding(_folder.File(name))).Message;
        }

        Assert.Contains("1024 wide (as for Stable Diffusion 2)", Fault("sd2.safetensors", ("emb_params", ones(2, 1024))),
            StringComparison.Ordinal);
        Assert.Contains("SDXL's two text encoders", Fault("xl.safetensors", ("clip_l", ones(2, 48)), ("clip_g", ones(2, 48))),
            StringComparison.Ordinal);
        Assert.Contains("2 attention layers, and the model has 16", Fault("few.safetensors", ("IN01", ones(2, 48)), ("MID", ones(2, 48))),
            StringComparison.Ordinal);
        Assert.Contains("one token", Fault("the.safetensors", ("emb_params", ones(1, 48))), StringComparison.Ordinal);
        Assert.IsType<ClipTokenizer>(model.Tokenizer);
        Assert.Equal(0, model.TextEncoder.TokenEmbedding.AddedRows);

        Write("pair.safetensors", ("sksone", ones(1, 48)), ("the", ones(1, 48)));
        Assert.Throws<InvalidFileException>(() => model.AddEmbeddings(_folder.File("pair.safetensors")));
        Assert.IsType<ClipTokenizer>(model.Tokenizer);
    }

    [Fact]
    public void SaveOfAModel_LeavesAddedWordsOut()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        using var word = model.AddEmbedding(Fixtures.Path("training", "textual_inversion", "embedding_saved.safetensors"), "sksdog");
        ModelSaver.Save(model, _folder.File("saved"));
        using var again = ModelLoader.Load(_folder.File("saved"));
        Assert.Empty(again.Tokenizer.AddedTokens);
        Assert.Equal(1000, again.TextEncoder.VocabularySize);
    }

    private void Write(string name, params (string Name, Tensor Tensor)[] tensors) =>
        SafetensorsWriter.Write(_folder.File(name), StatePayloads.Of(tensors));

    private static float[] Numbers(Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray();
}
