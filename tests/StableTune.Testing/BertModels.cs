using System.Text.Json;
using System.Text.Json.Nodes;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Testing;

/// <summary>Model folders whose text encoder is not CLIP: tiny-sd15 with a random encoder of another kind, 48 wide, and a tokenizer for
/// it.</summary>
public static class BertModels
{
    // Special tokens, characters of the tests' captions, letters and digits at the start of words and inside.
    private static readonly string[] Tokens =
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. "一只红色的猫坐在窗边小桥流水人家，。".Select(letter => letter.ToString()),
        .. "abcdefghijklmnopqrstuvwxyz0123456789".SelectMany(letter => (string[])[letter.ToString(), "##" + letter]), ",", ".",
    ];

    /// <summary>The tokens of <see cref="Taiyi"/>'s and <see cref="Ldm"/>'s vocabulary, in the order of their ids.</summary>
    public static IReadOnlyList<string> Vocabulary => Tokens;

    /// <summary>As Taiyi-Stable-Diffusion-1B-Chinese: <c>BertModel</c> and <c>BertTokenizer</c>. Returns the model folder.</summary>
    public static string Taiyi(TemporaryFolder folder)
    {
        var options = BertTextOptions.Tiny with { VocabularySize = Tokens.Length };
        return WithEncoder(folder, "tiny-taiyi", "BertModel", new BertTextModel(options), Config("BertModel", "bert", options),
            WriteWordPiece);
    }

    /// <summary>A <c>RobertaModel</c> with byte-level tokens.</summary>
    public static string Roberta(TemporaryFolder folder)
    {
        var options = BertTextOptions.Tiny with
        {
            VocabularySize = 261, PositionRows = 130, TypeVocabularySize = 1, LayerNormEps = 1e-5, PadTokenId = 1,
            PositionsFollowPadding = true,
        };
        return WithEncoder(folder, "tiny-roberta", "RobertaModel", new BertTextModel(options), Config("RobertaModel", "roberta", options),
            tokenizer =>
        {
            string[] tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>",
                .. ClipVocabulary.Embedded(0).Ids.OrderBy(entry => entry.Value).Take(256).Select(entry => entry.Key)];
            File.WriteAllText(
                Path.Combine(tokenizer, "vocab.json"),
                    JsonSerializer.Serialize(tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id)));
            File.WriteAllText(Path.Combine(tokenizer, "merges.txt"), "#version: 0.2\n");
        });
    }

    /// <summary>An <c>LDMBertModel</c> with BERT's tokens.</summary>
    public static string Ldm(TemporaryFolder folder)
    {
        var options = LdmBertOptions.Tiny with { VocabularySize = Tokens.Length };
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LDMBertModel"), ["model_type"] = "ldmbert", ["vocab_size"] = options.VocabularySize,
            ["d_model"] = options.HiddenSize,
            ["encoder_ffn_dim"] = options.IntermediateSize, ["encoder_layers"] = options.Layers,
            ["encoder_attention_heads"] = options.Heads,
            ["head_dim"] = options.HeadSize, ["max_position_embeddings"] = options.MaxPositions,
            ["activation_function"] = options.Activation,
        };
        return WithEncoder(folder, "tiny-ldm", "LDMBertModel", new LdmBertModel(options), config, WriteWordPiece);
    }

    private static void WriteWordPiece(string tokenizer)
    {
        File.WriteAllLines(Path.Combine(tokenizer, "vocab.txt"), Tokens);
        File.WriteAllText(Path.Combine(tokenizer, "tokenizer_config.json"), """{"do_lower_case": true, "model_max_length": 512, "tokenizer_class": "BertTokenizer"}""");
    }

    private static JsonObject Config(string type, string modelType, BertTextOptions options) => new()
    {
        ["architectures"] = new JsonArray(type), ["model_type"] = modelType, ["vocab_size"] = options.VocabularySize,
        ["hidden_size"] = options.HiddenSize,
        ["intermediate_size"] = options.IntermediateSize, ["num_hidden_layers"] = options.Layers, ["num_attention_heads"] = options.Heads,
        ["max_position_embeddings"] = options.PositionRows, ["type_vocab_size"] = options.TypeVocabularySize,
        ["layer_norm_eps"] = options.LayerNormEps,
        ["pad_token_id"] = options.PadTokenId, ["hidden_act"] = options.Activation, ["position_embedding_type"] = "absolute",
    };

    private static string WithEncoder(
        TemporaryFolder folder, string name, string type, TextModel encoder, JsonObject config, Action<string> writeTokenizer)
    {
        var target = folder.File(name);
        Directory.Move(FixtureModels.TinySd15(folder), target);
        foreach (var part in (string[])["text_encoder", "tokenizer"])
        {
            Directory.Delete(Path.Combine(target, part), recursive: true);
            Directory.CreateDirectory(Path.Combine(target, part));
        }

        writeTokenizer(Path.Combine(target, "tokenizer"));
        File.WriteAllText(Path.Combine(target, "text_encoder", "config.json"), config.ToJsonString());
        using (encoder)
        {
            Fill(encoder);
            StateDictWriter.Save(Path.Combine(target, "text_encoder", "model.safetensors"),
                encoder.state_dict().Select(entry => (entry.Key, entry.Value)));
        }

        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(target, "model_index.json")))!.AsObject();
        index["text_encoder"] = new JsonArray("transformers", type);
        index["tokenizer"] = new JsonArray(
            "transformers", type.Replace("LDM", "", StringComparison.Ordinal).Replace("Model", "Tokenizer", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(target, "model_index.json"), index.ToJsonString());
        return target;
    }

    /// <summary>The same numbers every time, whatever the constructors drew.</summary>
    private static void Fill(nn.Module module)
    {
        using var frozen = no_grad();
        using var random = new Generator(23);
        foreach (var (name, parameter) in module.named_parameters())
        {
            using var scope = NewDisposeScope();
            var values = randn(parameter.shape, generator: random) * 0.15;
            parameter.copy_(name.Contains("norm", StringComparison.OrdinalIgnoreCase)
                && name.EndsWith("weight", StringComparison.Ordinal) ? values + 1 : values);
        }
    }
}
