using System.Text.Json.Nodes;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes <c>model_index.json</c>: the pipeline's class and the class of each part.</summary>
internal static class PipelineIndex
{
    /// <summary>Never written: it is no part of the model, and larger than some of them.</summary>
    private const string SafetyChecker = "safety_checker";

    private static readonly string[] OwnParts =
        ["unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler", "feature_extractor", SafetyChecker];

    /// <summary>Index of the model, and the other parts of the source that stay.</summary>
    /// <param name="contents">The model.</param>
    /// <param name="source">The source's index; null for none.</param>
    /// <param name="schedulerClass">The class in the scheduler's configuration.</param>
    /// <param name="hasFeatureExtractor">Whether the folder gets one.</param>
    public static JsonObject Make(ModelContents contents, JsonObject? source, string schedulerClass, bool hasFeatureExtractor)
    {
        var index = source?.DeepClone().AsObject() ?? new JsonObject();
        index["_class_name"] = source?["_class_name"]?.DeepClone() ?? ClassOf(contents);
        index.Remove("_ppdiffusers_version");
        index["_diffusers_version"] = source?["_diffusers_version"]?.DeepClone() ?? "0.21.0";
        index["scheduler"] = Part("diffusers", schedulerClass);
        foreach (var name in (string[])["unet", "vae", "text_encoder", "text_encoder_2"])
        {
            if (contents.Find(name) is { } part) index[name] = KeptPart(source, name, Library(part), PartConfigs.ClassOf(part.Options));
            else index.Remove(name);
        }

        foreach (var name in (string[])["tokenizer", "tokenizer_2"])
        {
            if (contents.Tokenizers.FirstOrDefault(tokenizer => tokenizer.Folder == name) is { } found)
                index[name] = KeptPart(source, name, "transformers", TokenizerFolderWriter.ClassOf(found.Tokenizer));
            else index.Remove(name);
        }

        if (contents.IsSdxl)
        {
            index["force_zeros_for_empty_prompt"] = source?["force_zeros_for_empty_prompt"]?.DeepClone() ?? true;
            return index;
        }

        index[SafetyChecker] = Part(null, null);
        index["feature_extractor"] = hasFeatureExtractor ? KeptPart(source, "feature_extractor", "transformers", "CLIPImageProcessor")
            : Part(null, null);
        index["requires_safety_checker"] = false;
        return index;
    }

    /// <summary>The folders of parts that the source has beyond those of Stable Diffusion, such as a depth estimator: they are
    /// copied.</summary>
    /// <param name="source">The source's index; null for none.</param>
    public static IEnumerable<string> OtherParts(JsonObject? source) => source is null ? [] : source
        .Where(entry => entry.Value is JsonArray { Count: 2 } part && part[1] is not null && !OwnParts.Contains(entry.Key)
            && IsPlainName(entry.Key))
        .Select(entry => entry.Key);

    /// <summary>Whether the source names a class for this part.</summary>
    public static bool Has(JsonObject source, string part) => source[part] is JsonArray { Count: 2 } entry && entry[1] is not null;

    private static bool IsPlainName(string name) =>
        name.Length > 0 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');

    private static string ClassOf(ModelContents contents)
    {
        if (contents.IsSdxl) return Channels(contents) == 9 ? "StableDiffusionXLInpaintPipeline" : "StableDiffusionXLPipeline";
        return Channels(contents) switch
        {
            9 => "StableDiffusionInpaintPipeline",
            8 => "StableDiffusionInstructPix2PixPipeline",
            5 => "StableDiffusionDepth2ImgPipeline",
            _ => "StableDiffusionPipeline",
        };
    }

    private static int Channels(ModelContents contents) => contents.Find("unet")?.Options is UNetOptions unet ? unet.InChannels : 4;

    private static string Library(PartContents part) => part.Options switch
    {
        UNetOptions or VaeOptions => "diffusers",
        LdmBertOptions => "latent_diffusion",       // where diffusers keeps the class
        _ => "transformers",
    };

    private static JsonNode KeptPart(JsonObject? source, string name, string library, string type) =>
        source is not null && Has(source, name) && !IsPaddle(source[name]![0]) ? source[name]!.DeepClone() : Part(library, type);

    // Whoever loads what is written has diffusers, whatever the source was made for.
    private static bool IsPaddle(JsonNode? library) => library is JsonValue value && value.TryGetValue<string>(out var name)
        && (name.StartsWith("paddle", StringComparison.Ordinal) || name.StartsWith("ppdiffusers", StringComparison.Ordinal));

    private static JsonArray Part(string? library, string? type) => new(library, type);
}
