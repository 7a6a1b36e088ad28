using System.Text.Json;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing.Blip;

/// <summary>The tiny BLIP of the fixtures.</summary>
internal static class TinyBlip
{
    public static string File => Fixtures.Path("blip", "original", "tiny.pth");

    public static JsonElement Read(params string[] file)
    {
        using var document = JsonDocument.Parse(System.IO.File.ReadAllBytes(Fixtures.Path(["blip", .. file])));
        return document.RootElement.Clone();
    }

    public static PixelImage Image(string name) => ImageFile.Load(Fixtures.Path("blip", "images", name));

    /// <summary>What the reference's files say of the original, which does not say it itself.</summary>
    public static BlipOptions Architecture()
    {
        var (vision, text) = (Read("original", "vit.json"), Read("original", "med_config.json"));
        int Of(JsonElement values, string name) => values.GetProperty(name).GetInt32();
        return new()
        {
            Vision = new()
            {
                ImageSize = Of(vision, "img_size"), PatchSize = Of(vision, "patch_size"), HiddenSize = Of(vision, "embed_dim"),
                IntermediateSize = Of(vision, "embed_dim") * Of(vision, "mlp_ratio"), Layers = Of(vision, "depth"),
                Heads = Of(vision, "num_heads"), LayerNormEps = vision.GetProperty("layer_norm_eps").GetDouble(),
            },
            Text = new()
            {
                VocabularySize = Of(text, "vocab_size"), HiddenSize = Of(text, "hidden_size"),
                IntermediateSize = Of(text, "intermediate_size"), Layers = Of(text, "num_hidden_layers"),
                Heads = Of(text, "num_attention_heads"), PositionRows = Of(text, "max_position_embeddings"),
                LayerNormEps = text.GetProperty("layer_norm_eps").GetDouble(),
            },
        };
    }

    public static BlipCaptioner Original(TextDecoding? decoding = null, string prompt = "a picture of ", long? seed = null) =>
        BlipCaptioner.Load(File, new()
        {
            Architecture = Architecture(), Vocabulary = Fixtures.Path("blip", "vocab.txt"), Decoding = decoding ?? new BeamSearch(),
            Prompt = prompt, Seed = seed,
        });

    public static TextDecoding Decoding(JsonElement options) => new BeamSearch
    {
        Beams = options.GetProperty("num_beams").GetInt32(), MaxLength = options.GetProperty("max_length").GetInt32(),
        MinLength = options.GetProperty("min_length").GetInt32(), RepetitionPenalty = options.GetProperty("repetition_penalty").GetDouble(),
    };

    /// <summary>A folder of the hub's layout whose weights are those of the original.</summary>
    public static string HubFolder(TemporaryFolder folder, string name = "blip")
    {
        var path = folder.Folder(name);
        foreach (var file in new[] { "config.json", "pytorch_model.bin" })
            System.IO.File.Copy(Fixtures.Path("blip", "hf-equal", file), Path.Combine(path, file));
        foreach (var file in new[] { "vocab.txt", "preprocessor_config.json", "tokenizer_config.json", "special_tokens_map.json" })
            System.IO.File.Copy(Fixtures.Path("blip", "hf", file), Path.Combine(path, file));
        return path;
    }
}
