using System.IO.Compression;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Names, shapes and order of the real models' parameters and adapters.</summary>
public sealed class UNetStructureTests
{
    public static TheoryData<string> Models() => ["sd15", "sd21", "sdxl"];

    [Theory]
    [MemberData(nameof(Models))]
    public void UNet_OfAPreset_HasTheRealModelsParameters(string model)
    {
        using var unet = TinyModels.Build(() => new UNet2DConditionModel(Preset(model)));
        AssertSameParameters(RealModels.Rows(model, "unet"), unet);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Vae_OfAPreset_HasTheRealModelsParameters(string model)
    {
        using var vae = TinyModels.Build(() => new AutoencoderKL(model == "sdxl" ? VaeOptions.Sdxl : VaeOptions.Sd15));
        AssertSameParameters(RealModels.Rows(model, "vae"), vae);
    }

    [Theory]
    [InlineData("sd15")]
    [InlineData("sd21")]
    public void UNet_Walked_MeetsLayersInTheOrderOfTheReferencesAdapters(string model)
    {
        using var unet = TinyModels.Build(() => new UNet2DConditionModel(Preset(model)));
        var wanted = RealModels.Rows(model, "lora_conv").Select(row => row[0].GetString()!)
            .Where(name => name.StartsWith("lora_unet_", StringComparison.Ordinal));
        Assert.Equal(wanted, Adaptable(unet));
    }

    // As sd-scripts walks: for every module of these classes, the linear and convolutional layers below it.
    private static IEnumerable<string> Adaptable(nn.Module unet) =>
        from target in Walk(unet, "")
        where target.module.GetName() is "Transformer2DModel" or "ResnetBlock2D" or "Downsample2D" or "Upsample2D"
        from layer in Walk(target.module, "")
        where layer.module is Linear or Conv2d
        select $"lora_unet_{target.name}_{layer.name}".Replace('.', '_');

    /// <summary>All modules below one, each before its children, as Python's <c>named_modules</c> has them.</summary>
    private static IEnumerable<(string name, nn.Module module)> Walk(nn.Module module, string path) =>
        from child in module.named_children()
        let name = path.Length == 0 ? child.name : $"{path}.{child.name}"
        from found in Walk(child.module, name).Prepend((name, child.module))
        select found;

    private static UNetOptions Preset(string model) => model switch
    {
        "sd15" => UNetOptions.Sd15,
        "sd21" => UNetOptions.Sd21,
        _ => UNetOptions.Sdxl,
    };

    private static void AssertSameParameters(IReadOnlyList<JsonElement> rows, nn.Module module)
    {
        var wanted = rows.Select(row => $"{row[0].GetString()} [{string.Join(", ", row[1].EnumerateArray())}]")
            .Order(StringComparer.Ordinal);
        var found = module.state_dict().Select(entry => $"{entry.Key} [{string.Join(", ", entry.Value.shape)}]")
            .Order(StringComparer.Ordinal);
        Assert.Equal(wanted, found);
    }
}

/// <summary>The table of the real models' keys.</summary>
internal static class RealModels
{
    private static readonly Lazy<JsonDocument> s_table = new(() =>
    {
        using var packed = File.OpenRead(Fixtures.Path("real-model-keys.json.gz"));
        using var plain = new GZipStream(packed, CompressionMode.Decompress);
        return JsonDocument.Parse(plain);
    });

    internal static IReadOnlyList<JsonElement> Rows(string model, string part) =>
        s_table.Value.RootElement.GetProperty("models").GetProperty(model).GetProperty(part).EnumerateArray().ToList();
}
