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
        var hashes = SafetensorsWriter.Hash(file.Tensors.Select(i => new TensorPayload(i.Name, i.DType, i.Shape, s => s.Write(file.Span(i.Name)))), counted);
        Assert.Equal(file.Metadata["sshs_model_hash"], hashes.Model);
        Assert.Equal(file.Metadata["sshs_legacy_hash"], hashes.Legacy);
        Assert.Equal("e3b0c442", hashes.Legacy);
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
}
