using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace StableTune.Formats.Tests;

/// <summary>The model specification of the reference, entry by entry, and the hashes of files that carry it.</summary>
public sealed class ModelSpecificationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Cases() => [.. Fixture().Select(entry => entry.GetProperty("case").GetString()!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Entries_AreTheReferences(string name)
    {
        var entry = Fixture().Single(e => e.GetProperty("case").GetString() == name);
        var args = entry.GetProperty("args");
        bool Flag(string key) => args.TryGetProperty(key, out var value) && value.GetBoolean();
        string? Text(string key) => args.TryGetProperty(key, out var value) ? value.GetString() : null;
        var expected = entry.GetProperty("value").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
        var specification = new ModelSpecification
        {
            Title = expected["modelspec.title"],
            Date = DateTimeOffset.Parse("2023-11-14T22:13:20Z", CultureInfo.InvariantCulture),
            ImplementationVersion = "sd-scripts/48d368fa557731ad0488c07304dfeba8c07910eb",
            PredictsV = Flag("v_parameterization"),
            Resolution = args.TryGetProperty("reso", out var size)
                && size.ValueKind == JsonValueKind.Array ? (size[0].GetInt32(), size[1].GetInt32()) : null,
            Author = Text("author"), Description = Text("description"), License = Text("license"), Tags = Text("tags"),
            MergedFrom = Text("merged_from"),
            TimestepRange = args.TryGetProperty("timesteps", out var range) ? (range[0].GetInt32(), range[1].GetInt32()) : null,
            EncoderLayer = args.TryGetProperty("clip_skip", out var skip) ? skip.GetInt32() : null,
        };
        var version = Flag("sdxl") ? "sdxl_base_v1-0" : !Flag("v2") ? "sd_v1" : Flag("v_parameterization") ? "sd_v2_v" : "sd_v2";
        var content = Flag("is_lora") ? SpecifiedContent.Adapter : Flag("is_textual_inversion") ? SpecifiedContent.Embedding
            : SpecifiedContent.Model;
        Assert.Equal(expected.OrderBy(e => e.Key, StringComparer.Ordinal),
            specification.Entries(version, content).OrderBy(e => e.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Entries_OfEveryProperty_HaveTheSpecificationsKeys()
    {
        var entries = Example() with
        {
            UsageHint = "u", TriggerPhrase = "t", Preprocessor = "canny", IsNegativeEmbedding = true, UNetType = "float16",
            VaeType = "float32", Thumbnail = "data:image/png;base64,",
        };
        var all = entries.Entries("sd_v1");
        Assert.Equal(
            ["u", "t", "canny", "True", "float16", "float32", "data:image/png;base64,"],
            new[] { "usage_hint", "trigger_phrase", "preprocessor", "is_negative_embedding", "unet_dtype", "vae_dtype",
                "thumbnail" }.Select(key => all["modelspec." + key]));
        Assert.Contains("sd_v1", Assert.Throws<ArgumentException>(() => Example().Entries("sd_v9")).Message);
    }

    [Fact]
    public void WriteHashed_FillsInTheHashesOfWhatWasWritten()
    {
        // More than the old hash skips, so that it covers something.
        var bytes = new byte[3 << 20];
        RandomNumberGenerator.Fill(bytes);
        var asked = 0;
        TensorPayload[] tensors =
        [
            new("b", TensorDType.F16, [bytes.Length / 2], stream =>
            {
                asked++;
                stream.Write(bytes);
            }),
            new("a", TensorDType.F32, [], stream => stream.Write("1234"u8)),
        ];
        var metadata = new Dictionary<string,
            string>(Example().Entries("sd_v1")) { ["ss_note"] = "\"modelspec.hash_sha256\":\"0x" + new string('0', 64) + "\"",
            ["other"] = "o" };
        var path = _folder.File("model.safetensors");
        SafetensorsWriter.WriteHashed(path, tensors, metadata);

        Assert.Equal(1, asked);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal("0x" + WeightHashes.OfTensors(path), file.Metadata["modelspec.hash_sha256"]);
        var expected = SafetensorsWriter.Hash(tensors, new Dictionary<string, string> { ["ss_note"] = metadata["ss_note"] });
        Assert.Equal((expected.Model, expected.Legacy), (file.Metadata["sshs_model_hash"], file.Metadata["sshs_legacy_hash"]));
        Assert.All(metadata, entry => Assert.Equal(entry.Value, file.Metadata[entry.Key]));
        Assert.Equal(bytes, file.Span("b"));
    }

    [Fact]
    public void WriteHashed_WithoutASpecification_HasTheOtherHashesOnly()
    {
        var path = _folder.File("model.safetensors");
        SafetensorsWriter.WriteHashed(path, [RawFile.Payload("x", TensorDType.U8, [2], [1, 2])]);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["sshs_legacy_hash", "sshs_model_hash"], file.Metadata.Keys);
        Assert.Equal(WeightHashes.OfTensors(path), file.Metadata["sshs_model_hash"]);
        Assert.Equal("e3b0c442", file.Metadata["sshs_legacy_hash"]);
    }

    [Fact]
    public void WriteHashed_AFailingTensor_KeepsTheOldFile()
    {
        var path = _folder.File("model.safetensors");
        File.WriteAllText(path, "old");
        Assert.Throws<IOException>(() =>
            SafetensorsWriter.WriteHashed(path, [new("x", TensorDType.U8, [2], _ => throw new IOException("No space left on device"))]));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Thumbnails_AreDataUrlsOfPictures()
    {
        var png = _folder.File("a.jpg");
        File.WriteAllBytes(png, [0x89, 0x50, 0x4E, 0x47, 1, 2, 3]);
        Assert.Equal("data:image/png;base64,iVBORwECAw==", Thumbnails.Read(png));

        File.WriteAllText(_folder.File("b.png"), "no picture");
        Assert.Contains("none that is known", Assert.Throws<InvalidFileException>(() => Thumbnails.Read(_folder.File("b.png"))).Message);
        Assert.Contains("does not exist", Assert.Throws<InvalidFileException>(() => Thumbnails.Read(_folder.File("c.png"))).Message);
        using (var large = File.Create(_folder.File("d.png"))) large.SetLength(Thumbnails.MaximumBytes + 1);
        Assert.Contains("too large", Assert.Throws<InvalidFileException>(() => Thumbnails.Read(_folder.File("d.png"))).Message);
    }

    private static ModelSpecification Example() =>
        new() { Title = "T", Date = DateTimeOffset.UnixEpoch, ImplementationVersion = "StableTune/0" };

    private static List<JsonElement> Fixture()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "modelspec.json")));
        return [.. json.RootElement.GetProperty("modelspec").EnumerateArray().Select(entry => entry.Clone())];
    }
}
