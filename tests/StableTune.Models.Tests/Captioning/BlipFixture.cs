using System.Text.Json;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Models.Tests.Captioning;

/// <summary>The tiny model of the fixtures and what the reference made of it.</summary>
internal static class BlipFixture
{
    public static JsonElement Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("blip", file)));
        return document.RootElement.Clone();
    }

    /// <summary>The model of the original layout: the same weights lie in a file with the model's own names.</summary>
    public static BlipModel Model(BlipOptions? options = null)
    {
        var model = new BlipModel(options ?? BlipOptions.Tiny);
        using var file = WeightFile.Open(Fixtures.Path("blip", "hf-equal", "pytorch_model.bin"));
        ModuleWeights.LoadInto(model, file, name => name.Contains("predictions.decoder.", StringComparison.Ordinal)
            || name.EndsWith("position_ids", StringComparison.Ordinal) ? null : name).ThrowIfIncomplete();
        model.SetRequiresGrad(false);
        return model;
    }

    public static TextDecoding Decoding(JsonElement options) => new BeamSearch
    {
        Beams = options.GetProperty("num_beams").GetInt32(), MaxLength = options.GetProperty("max_length").GetInt32(),
        MinLength = options.GetProperty("min_length").GetInt32(), RepetitionPenalty = options.GetProperty("repetition_penalty").GetDouble(),
    };

    public static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
