using System.IO.Compression;
using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>Which layers of the real models sd-scripts adapts, under which names and in which order.</summary>
public sealed class RealModelTests
{
    [Theory]
    [InlineData("sd15", "lora", 264)]
    [InlineData("sd15", "lora_conv", 350)]
    [InlineData("sd21", "lora", 330)]
    [InlineData("sd21", "lora_conv", 416)]
    [InlineData("sdxl", "lora", 986)]
    [InlineData("sdxl", "lora_conv", 1052)]
    public void Attach_RealModels_NamesTheReferencesModulesInItsOrder(string model, string kind, int count)
    {
        using var stream = new GZipStream(File.OpenRead(Fixtures.Path("real-model-keys.json.gz")), CompressionMode.Decompress);
        using var json = JsonDocument.Parse(stream);
        var rows = json.RootElement.GetProperty("models").GetProperty(model);
        using var unet = Tree(rows.GetProperty("unet"));
        using var text = Tree(rows.GetProperty("text_encoder"));
        using var text2 = model == "sdxl" ? Tree(rows.GetProperty("text_encoder_2")) : null;
        var hosts = new AdapterHosts(unet,
            text2 is null ? [text] : [text, text2]) { UNetPaths = text2 is null ? null : Paths(rows.GetProperty("unet")) };
        var options = new LoRAOptions { Rank = 1,
            Layers = kind == "lora" ? LayerSelection.SdScripts : LayerSelection.SdScriptsWithConvolutions };
        using var network = AdapterNetwork.Attach(hosts, options, new Generator(0));

        var expected = rows.GetProperty(kind).EnumerateArray().Select(row => (row[0].GetString()!, row[1].GetString()!)).ToList();
        Assert.Equal(count, expected.Count);
        Assert.Equal(expected, network.Adapters.Select(a => (a.Layer.Name, a.Layer.Module is Linear ? "Linear" : "Conv2d")));
        Assert.All(network.Adapters, a => Assert.Equal(
            a.Layer.Name.StartsWith("lora_unet_", StringComparison.Ordinal) ? AdapterParts.UNet
                : a.Layer.Name.StartsWith("lora_te2_", StringComparison.Ordinal) ? AdapterParts.TextEncoder2
            : AdapterParts.TextEncoder1, a.Layer.Part));
    }

    // Only the tree counts: every layer becomes as small as can be, with its kernel.
    private static ModelTree Tree(JsonElement weights) => ModelTree.FromWeights(weights.EnumerateArray()
        .Where(row => row[1].GetArrayLength() > 1 && row[0].GetString() != "text_projection.weight")
        .Select(row => (row[0].GetString()!, row[1].EnumerateArray().Select((n, d) => d < 2 ? 1 : n.GetInt64()).ToArray())));

    /// <summary>Single-file paths of layers, from the table of names.</summary>
    private static Func<string, string?> Paths(JsonElement weights)
    {
        const string prefix = "model.diffusion_model.", suffix = ".weight";
        var paths = weights.EnumerateArray().Select(row => (Module: row[0].GetString()!, File: row[2].GetString()!))
            .Where(row => row.Module.EndsWith(suffix, StringComparison.Ordinal))
            .ToDictionary(row => row.Module[..^suffix.Length], row => row.File[prefix.Length..^suffix.Length], StringComparer.Ordinal);
        return path => paths.GetValueOrDefault(path);
    }
}
