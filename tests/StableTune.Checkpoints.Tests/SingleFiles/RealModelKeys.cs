using System.IO.Compression;
using System.Text.Json;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>The names and shapes of the published models: real-model-keys.json.gz of the fixtures.</summary>
internal static class RealModelKeys
{
    /// <summary>A tensor under its name and shape in diffusers and in the checkpoint.</summary>
    public sealed record Row(string Name, long[] Shape, string FileName, long[] FileShape);

    private static readonly Lazy<JsonElement> Models = new(() =>
    {
        using var file = File.OpenRead(Fixtures.Path("real-model-keys.json.gz"));
        using var json = new GZipStream(file, CompressionMode.Decompress);
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("models").Clone();
    });

    public static IReadOnlyList<Row> Rows(string model, string part) =>
    [
        .. Models.Value.GetProperty(model).GetProperty(part).EnumerateArray()
            .Select(row => new Row(row[0].GetString()!, Longs(row[1]), row[2].GetString()!, Longs(row[3]))),
    ];

    /// <summary>Names of today and of diffusers before 0.17.</summary>
    public static IReadOnlyList<(string Today, string Old)> OldVaeNames(string model) =>
        [.. Models.Value.GetProperty(model).GetProperty("vae_legacy_names").EnumerateArray()
            .Select(row => (row[0].GetString()!, row[1].GetString()!))];

    /// <summary>The layouts that the published architectures have.</summary>
    public static KeyMap Layout(string model, string part) => (model, part) switch
    {
        ("sd15", "unet") => KeyMap.UNet(UNetOptions.Sd15),
        ("sd21", "unet") => KeyMap.UNet(UNetOptions.Sd21),
        ("sdxl", "unet") => KeyMap.UNet(UNetOptions.Sdxl),
        (_, "vae") => KeyMap.Vae(VaeOptions.Sd15),
        ("sd15", "text_encoder") => KeyMap.ClipText(ClipTextOptions.Sd15),
        ("sd21", "text_encoder") => KeyMap.OpenClipText(ClipTextOptions.Sd21),
        ("sdxl", "text_encoder") => KeyMap.ClipText(ClipTextOptions.Sd15, KeyMap.SdxlTextPrefix),
        ("sdxl", "text_encoder_2") => KeyMap.OpenClipText(ClipTextOptions.SdxlSecond, KeyMap.SdxlText2Prefix),
        _ => throw new ArgumentException($"no such part: {model} {part}"),
    };

    private static long[] Longs(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetInt64())];
}
