using System.Text.Json.Nodes;
using StableTune.Checkpoints;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class BertLoadingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string, string, string, int> Kinds => new()
    {
        { "taiyi", nameof(BertTextModel), nameof(BertTokenizer), 98 },
        { "roberta", nameof(BertTextModel), nameof(RobertaTokenizer), 126 },
        { "ldm", nameof(LdmBertModel), nameof(BertTokenizer), 75 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Load_OtherTextEncoder_GivesItsModelTokenizerAndContext(string kind, string type, string tokenizer, int largest)
    {
        var path = Write(kind);
        Assert.Empty(ModelLoader.Check(path));
        Assert.Equal(largest, ModelConfiguration.Find(path)!.LargestTokenLength);
        Assert.True(ModelConfiguration.Find(path)!.TakesAttentionMask);
        using var model = ModelLoader.Load(path);
        Assert.Equal((type, tokenizer), (model.TextEncoder.GetType().Name, model.Tokenizer.GetType().Name));
        using var frozen = no_grad();
        var context = PromptEncoder.For(model).Encode(["一只红色的猫", "a red cat"]).Context;
        Assert.Equal([2, 77, 48], context.shape);
        // The weights are the file's.
        using var file = WeightFile.Open(Path.Combine(path, "text_encoder", "model.safetensors"));
        foreach (var (name, weight) in model.TextEncoder.state_dict()) Assert.True(weight.Equals(file.Load(name)), name);
    }

    [Fact]
    public void Load_FileOfAnotherTask_TakesTheEncoderOutOfIt()
    {
        var path = Write("taiyi");
        using var expected = ModelLoader.Load(path);
        var file = Path.Combine(path, "text_encoder", "model.safetensors");
        Dictionary<string, Tensor> weights;
        using (var whole = WeightFile.Open(file)) weights = whole.LoadAll().ToDictionary(entry => entry.Key, entry => entry.Value);
        string Old(string name) => "bert."
            + name.Replace("LayerNorm.weight", "LayerNorm.gamma").Replace("LayerNorm.bias", "LayerNorm.beta");
        File.Delete(file);
        StateDictWriter.Save(
            file,
            [
                .. weights.Select(entry => (Old(entry.Key), entry.Value)), ("bert.pooler.dense.weight", ones(48, 48)),
                    ("bert.pooler.dense.bias", ones(48)),
                ("bert.embeddings.position_ids", arange(100, dtype: ScalarType.Int64).unsqueeze(0)), ("cls.predictions.bias", ones(5)),
                    ("lm_head.bias", ones(5)),
            ]);
        Edit(path, config => config["architectures"] = new JsonArray("BertForMaskedLM"));
        using var model = ModelLoader.Load(path);
        foreach (var (name, weight) in expected.TextEncoder.state_dict())
            Assert.True(weight.Equals(model.TextEncoder.state_dict()[name]), name);
    }

    [Fact]
    public void Load_ModelTypeWithoutArchitectures_IsEnough()
    {
        var path = Write("taiyi");
        Edit(path, config => config.Remove("architectures"));
        using var model = ModelLoader.Load(path, new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        Assert.IsType<BertTextModel>(model.TextEncoder);
    }

    [Fact]
    public void Load_ConfigurationWithMask_HidesPadding()
    {
        var path = Write("taiyi");
        using (var open = ModelLoader.Load(path)) Assert.False(((MaskedTextModel)open.TextEncoder).UseAttentionMask);
        Edit(path, config => config["use_attention_mask"] = true);
        using var model = ModelLoader.Load(path);
        Assert.True(((MaskedTextModel)model.TextEncoder).UseAttentionMask);
    }

    [Theory]
    [InlineData("architectures", """["T5EncoderModel"]""", "T5EncoderModel")]
    [InlineData("architectures", """["ChineseCLIPTextModel"]""", "ChineseCLIPTextModel")]
    [InlineData("position_embedding_type", "\"relative_key\"", "relative_key")]
    [InlineData("is_decoder", "true", "is_decoder")]
    [InlineData("add_cross_attention", "true", "add_cross_attention")]
    [InlineData("hidden_act", "\"mish\"", "mish")]
    [InlineData("hidden_size", "\"wide\"", "hidden_size")]
    [InlineData("num_attention_heads", "7", "Heads")]
    [InlineData("layer_norm_eps", "0", "LayerNormEps")]
    [InlineData("pad_token_id", "100000", "PadTokenId")]
    [InlineData("max_position_embeddings", "64", "64 tokens")]
    [InlineData("vocab_size", "50", "embeddings for 50")]
    [InlineData("use_attention_mask", "1", "use_attention_mask")]
    [InlineData("num_hidden_layers", "4", "encoder.layer.3")]
    public void Load_ConfigurationThatCannotWork_NamesWhatIsWrong(string key, string value, string expected)
    {
        var path = Write("taiyi");
        Edit(path, config => config[key] = JsonNode.Parse(value));
        var error = Assert.ThrowsAny<InvalidFileException>(() => ModelLoader.Load(path).Dispose());
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(ModelLoader.Check(path));
    }

    [Fact]
    public void Load_EncoderOfAnotherWidth_IsRefused()
    {
        var path = Write("taiyi");
        Edit(path, config => config["hidden_size"] = 64);
        var error = Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path));
        Assert.Contains("attends to text of width 48, the text encoder's is 64", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sentencepiece.bpe.model", "SentencePiece")]
    [InlineData("nothing.txt", "no vocabulary")]
    public void Load_TokenizerThatCannotBeRead_IsNamed(string file, string expected)
    {
        var path = Write("taiyi");
        Edit(path, config => config["architectures"] = new JsonArray("XLMRobertaModel"));
        var tokenizer = Path.Combine(path, "tokenizer");
        File.Delete(Path.Combine(tokenizer, "vocab.txt"));
        File.WriteAllText(Path.Combine(tokenizer, file), "x");
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(tokenizer, "tokenizer.json"), """{"model": {"type": "Unigram", "vocab": []}}""");
        Assert.Contains("Unigram", Assert.Throws<InvalidFileException>(() => ModelLoader.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_OfEachKind_IsToldByItsFiles()
    {
        var (wordPiece, bytes) = (Path.Combine(Write("taiyi"), "tokenizer"), Path.Combine(Write("roberta"), "tokenizer"));
        Assert.IsType<BertTokenizer>(SequenceTokenizer.FromFolder(wordPiece));
        Assert.IsType<RobertaTokenizer>(SequenceTokenizer.FromFolder(bytes));
        var vocabulary = new JsonObject(BertModels.Vocabulary.Select((token, id) => KeyValuePair.Create<string, JsonNode?>(token, id)));
        File.Delete(Path.Combine(wordPiece, "vocab.txt"));
        File.WriteAllText(Path.Combine(wordPiece, "tokenizer.json"),
            new JsonObject { ["model"] = new JsonObject { ["type"] = "WordPiece", ["vocab"] = vocabulary } }.ToJsonString());
        Assert.Equal(BertModels.Vocabulary.Count - 1, Assert.IsType<BertTokenizer>(SequenceTokenizer.FromFolder(wordPiece)).LargestId);
    }

    [Theory]
    [InlineData("taiyi")]
    [InlineData("roberta")]
    [InlineData("ldm")]
    public void Save_AsAFolder_LoadsToTheSame(string kind)
    {
        using var frozen = no_grad();
        using var model = ModelLoader.Load(Write(kind));
        model.SaveAs(_folder.File("saved"));
        using var again = ModelLoader.Load(_folder.File("saved"));
        var (expected, actual) = (PromptEncoder.For(model).Encode(["一只猫, red"]).Context,
            PromptEncoder.For(again).Encode(["一只猫, red"]).Context);
        Assert.True(expected.Equals(actual));
    }

    [Theory]
    [InlineData("taiyi")]
    [InlineData("roberta")]
    [InlineData("ldm")]
    public void Convert_AFolderToAFolder_LoadsToTheSame(string kind)
    {
        using var frozen = no_grad();
        var path = Write(kind);
        ModelConverter.Convert(path, _folder.File("converted"));
        using var model = ModelLoader.Load(path);
        using var again = ModelLoader.Load(_folder.File("converted"));
        Assert.True(PromptEncoder.For(model).Encode(["一只猫, red"]).Context.Equals(PromptEncoder.For(again).Encode(["一只猫, red"]).Context));
    }

    [Fact]
    public void Save_AsASingleFile_IsRefused()
    {
        var path = Write("taiyi");
        using var model = ModelLoader.Load(path);
        foreach (var save in (Action[])[() => model.SaveAs(_folder.File("one.safetensors")), () =>
            ModelConverter.Convert(path, _folder.File("one.safetensors"))])
            Assert.Contains("save a folder", Assert.Throws<InvalidOperationException>(save).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("one.safetensors")));
    }

    private string Write(string kind) => kind switch
    {
        "taiyi" => BertModels.Taiyi(_folder),
        "roberta" => BertModels.Roberta(_folder),
        _ => BertModels.Ldm(_folder),
    };

    private static void Edit(string path, Action<JsonObject> edit)
    {
        var file = Path.Combine(path, "text_encoder", "config.json");
        var config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        edit(config);
        File.WriteAllText(file, config.ToJsonString());
    }
}
