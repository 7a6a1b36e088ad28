using System.Security.Cryptography;
using System.Text;

namespace StableTune.Formats.Tests;

public sealed class WeightHashesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OfTensors_SavedLora_IsWhatTheReferenceWroteIntoIt()
    {
        using var file = SafetensorsFile.Open(Fixtures.Path("training", "lora_fp32", "lora_saved_fp16.safetensors"));
        Assert.Equal(file.Metadata["sshs_model_hash"], WeightHashes.OfTensors(file.Path));
        var counted = file.Metadata.Where(m => m.Key.StartsWith("ss_", StringComparison.Ordinal)).ToDictionary();
        var hashes = SafetensorsWriter.Hash(
            file.Tensors.Select(i => new TensorPayload(i.Name, i.DType, i.Shape, s => s.Write(file.Span(i.Name)))), counted);
        Assert.Equal(file.Metadata["sshs_model_hash"], hashes.Model);
        Assert.Equal(file.Metadata["sshs_legacy_hash"], hashes.Legacy);
        Assert.Equal("e3b0c442", hashes.Legacy);
    }

    /// <summary>LyCORIS hashes the tensors in the order in which its program held them: here that of the module.</summary>
    [Fact]
    public void Lycoris_InTheProgramsOrder_IsItsHash()
    {
        using var document = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "file_tools.json")));
        var hashes = document.RootElement.GetProperty("hashes");
        using var file = SafetensorsFile.Open(Fixtures.Path(["networks", .. hashes.GetProperty("file").GetString()!.Split('/')]));
        Assert.Equal(hashes.GetProperty("lycoris_precalculate").GetString(), WeightHashes.Lycoris(
            file, ["lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight", "lora_unet_x.alpha"]));
        Assert.NotEqual(WeightHashes.Lycoris(file), hashes.GetProperty("lycoris_precalculate").GetString());
    }

    /// <summary>The reference's hashes of tensors that are made by rule, large enough for the old hash to have something to read.</summary>
    [Fact]
    public void Hash_LargeTensors_IsTheReferences()
    {
        var half = Enumerable.Range(0, 200000).SelectMany(i => BitConverter.GetBytes((Half)(i % 251))).ToArray();
        var single = Enumerable.Range(0, 300000).SelectMany(i => BitConverter.GetBytes((float)(i % 127))).ToArray();
        var hashes = SafetensorsWriter.Hash(
        [
            RawFile.Payload("a.weight", TensorDType.F16, [200000], half), RawFile.Payload("b.weight", TensorDType.F32, [300000], single),
            RawFile.Payload("a.alpha", TensorDType.F32, [], BitConverter.GetBytes(4f)),
        ], new Dictionary<string, string> { ["ss_v2"] = "False" });
        Assert.Equal("d543e67fc5fd3368d4e2dadcd0cf978351cfd8651b9dfe6d0eb88d47310908ee", hashes.Model);
        Assert.Equal("afc527ec", hashes.Legacy);
    }

    [Theory]
    [InlineData(false, 5000, "7daca209", "7d471e4af16db5a30ce10aebbc29f5178b2edbad6c7dc2e8ff8ee6e4848a726f")]
    [InlineData(true, 4200, "29918e89", "5d89db9cc1e9d3d997fb49bba5c6b96a43dad1c294424ca04c0f1ce0ecb3f694")]
    public void Old_FilesByRule_AreTheReferences(bool descending, int repeats, string old, string sha256)
    {
        var piece = Enumerable.Range(0, 256).Select(i => (byte)(descending ? 255 - i : i)).ToArray();
        var path = _folder.File("model");
        using (var stream = File.Create(path))
            for (var i = 0; i < repeats; i++) stream.Write(piece);
        Assert.Equal(old, WeightHashes.Old(path));
        Assert.Equal(sha256, WeightHashes.Sha256(path));
    }

    [Fact]
    public void Hash_LargeFile_EqualsTheHashesOfTheFileWritten()
    {
        var bytes = new byte[0x1A0000];
        new Random(3).NextBytes(bytes);
        // Written in odd pieces, so that the borders of the hashed range fall inside of one.
        var payload = new TensorPayload("a", TensorDType.U8, [bytes.Length], stream =>
        {
            for (var at = 0; at < bytes.Length; at += 70001) stream.Write(bytes, at, Math.Min(70001, bytes.Length - at));
        });
        var metadata = new Dictionary<string, string> { ["ss_epoch"] = "1" };
        var path = _folder.File("large.safetensors");
        SafetensorsWriter.Write(path, [payload], metadata);

        var hashes = SafetensorsWriter.Hash([payload], metadata);
        Assert.Equal(WeightHashes.OfTensors(path), hashes.Model);
        Assert.Equal(WeightHashes.Old(path), hashes.Legacy);
        var whole = File.ReadAllBytes(path);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(whole)), WeightHashes.Sha256(path));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(whole.AsSpan(0x100000, 0x10000)))[..8], WeightHashes.Old(path));
    }

    [Fact]
    public void Sha256_KnownText_GivesTheKnownHash()
    {
        var path = _folder.File("abc");
        File.WriteAllBytes(path, Encoding.ASCII.GetBytes("abc"));
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", WeightHashes.Sha256(path));
        Assert.Equal("e3b0c442", WeightHashes.Old(path));
        Assert.Throws<OperationCanceledException>(() => WeightHashes.Sha256(path, new CancellationToken(canceled: true)));
        Assert.Throws<InvalidFileException>(() => WeightHashes.Old(_folder.File("none")));
    }

    [Fact]
    public void OfFile_AnyFile_GivesAllWholeFileHashesAndTellsHowFarItIs()
    {
        var path = Fixtures.Path("training", "lora_fp32", "lora_saved_fp16.safetensors");
        var told = new List<double>();
        var hashes = WeightHashes.OfFile(path, new Told(told));
        Assert.Equal(new FileHashes(WeightHashes.Sha256(path), WeightHashes.Old(path)), hashes);
        Assert.Equal(hashes.Sha256[..10], hashes.AutoV2);
        Assert.Equal(1, told[^1]);
        Assert.Throws<OperationCanceledException>(() => WeightHashes.OfFile(path, null, new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData("lora_a")]
    [InlineData("lora_b")]
    [InlineData("example_trained")]
    public void Recompute_FilesOfTheReference_GivesTheHashesInThem(string name)
    {
        using var file = SafetensorsFile.Open(Fixtures.Path("networks", "lora_files", name + ".safetensors"));
        Assert.Equal(new ModelHashes(file.Metadata["sshs_model_hash"], file.Metadata["sshs_legacy_hash"]), WeightHashes.Recompute(file));
    }

    [Fact]
    public void AddToMetadata_FileWithoutOrWithWrongHashes_GetsTheReferencesAndKeepsAllElse()
    {
        var original = Fixtures.Path("networks", "lora_files", "example_trained.safetensors");
        var path = _folder.File("lora.safetensors");
        using (var file = SafetensorsFile.Open(original))
        {
            var metadata = file.Metadata.Where(entry => entry.Key != "sshs_model_hash").ToDictionary();
            metadata["sshs_legacy_hash"] = "wrong";
            SafetensorsWriter.Write(path, file.Tensors.Select(i =>
                new TensorPayload(i.Name, i.DType, i.Shape, s => s.Write(file.Span(i.Name)))), metadata);
        }

        var other = _folder.File("new", "lora.safetensors");
        var hashes = WeightHashes.AddToMetadata(path, other);
        Assert.Equal(hashes, WeightHashes.AddToMetadata(path));
        Assert.Equal(File.ReadAllBytes(other), File.ReadAllBytes(path));
        using var before = SafetensorsFile.Open(original);
        using var after = SafetensorsFile.Open(path);
        Assert.Equal(before.Metadata["sshs_model_hash"], hashes.Model);
        Assert.Equal("0x" + hashes.Model, after.Metadata["modelspec.hash_sha256"]);
        Assert.Equal(before.Metadata.OrderBy(e => e.Key), after.Metadata.Where(e => e.Key != "modelspec.hash_sha256").OrderBy(e => e.Key));
        Assert.Equal(before.Tensors.Count, after.Tensors.Count);
        Assert.All(before.Tensors, tensor => Assert.True(before.Span(tensor.Name).SequenceEqual(after.Span(tensor.Name))));
    }

    [Fact]
    public void AddToMetadata_CancelledOrOfAnotherKind_LeavesTheFile()
    {
        var path = _folder.File("lora.safetensors");
        File.Copy(Fixtures.Path("networks", "lora_files", "lora_a.safetensors"), path);
        var before = File.ReadAllBytes(path);
        Assert.Throws<OperationCanceledException>(() => WeightHashes.AddToMetadata(path, null, new CancellationToken(canceled: true)));
        Assert.Equal(before, File.ReadAllBytes(path));
        File.WriteAllBytes(path, before[..^1]);
        Assert.Contains("truncated", Assert.Throws<InvalidFileException>(() => WeightHashes.AddToMetadata(path)).Message);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    private sealed class Told(List<double> values) : IProgress<double>
    {
        public void Report(double value) => values.Add(value);
    }
}
