using System.Text.Json.Nodes;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>Models with text encoders that are not CLIP's, saved where the folder they came from is gone.</summary>
public sealed class BertSavingTests : IDisposable
{
    private const string Caption = "一只红色的猫, a red cat";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("taiyi", "transformers", "BertModel", "BertTokenizer")]
    [InlineData("roberta", "transformers", "RobertaModel", "RobertaTokenizer")]
    [InlineData("ldm", "latent_diffusion", "LDMBertModel", "BertTokenizer")]
    public void SaveAs_WithoutItsFolder_IsTheSameModel(string name, string library, string encoder, string tokenizer)
    {
        var source = Model(name);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var model = ModelLoader.Load(source);
        Directory.Delete(source, recursive: true);
        var saved = model.SaveAs(_folder.File("saved"), new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors });
        Assert.Empty(saved.Notes);

        using var again = ModelLoader.Load(saved.Path);
        Assert.Equal(Architecture(model.TextEncoder), Architecture(again.TextEncoder));
        Assert.Equal(model.Tokenizer.EncodePadded(Caption, 75), again.Tokenizer.EncodePadded(Caption, 75));
        Assert.Equal((model.Tokenizer.LargestId, ((SequenceTokenizer)model.Tokenizer).ModelMaxLength),
            (again.Tokenizer.LargestId, ((SequenceTokenizer)again.Tokenizer).ModelMaxLength));
        GoldenComparison.AssertClose(name, PromptEncoder.For(model).Encode([Caption]).Context,
            PromptEncoder.For(again).Encode([Caption]).Context, 0);

        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(saved.Path, "model_index.json")))!;
        Assert.Equal($"[\"{library}\",\"{encoder}\"]", index["text_encoder"]!.ToJsonString());
        Assert.Equal($"[\"transformers\",\"{tokenizer}\"]", index["tokenizer"]!.ToJsonString());
    }

    [Fact]
    public void SaveAs_BesideItsFolder_KeepsConfigurationsByteForByte()
    {
        var source = Model("taiyi");
        using var model = ModelLoader.Load(source);
        var saved = model.SaveAs(_folder.File("saved"), new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors });
        foreach (var file in (string[])["text_encoder/config.json", "tokenizer/vocab.txt", "tokenizer/tokenizer_config.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(Path.Combine(saved.Path, file)));
        Assert.Contains("single files have no form for",
            Assert.Throws<InvalidOperationException>(() => model.SaveAs(_folder.File("saved.safetensors"))).Message,
            StringComparison.Ordinal);
    }

    private static OptionsBase Architecture(TextModel encoder) =>
        encoder is BertTextModel bert ? bert.Options : ((LdmBertModel)encoder).Options;

    private string Model(string name) => name switch
    {
        "taiyi" => BertModels.Taiyi(_folder),
        "roberta" => BertModels.Roberta(_folder),
        _ => BertModels.Ldm(_folder),
    };
}
