using System.Security.Cryptography;
using System.Text;

namespace StableTune.Formats.Tests.Torch;

/// <summary>What the tests ask of any opened file.</summary>
internal static class TorchFixtures
{
    public static string Zip => Fixtures.Path("models", "tiny-sd15-ckpt.ckpt");

    public static string Legacy => Fixtures.Path("models", "tiny-sd15-ckpt-legacy-ema.ckpt");

    public static string Embedding(string name) => Fixtures.Path("training", "textual_inversion", name);

    public static byte[] Bytes(this ITensorFile file, string name) => file.Bytes(file[name]);

    public static byte[] Bytes(this ITensorFile file, TensorInfo info)
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return bytes;
    }

    public static byte[] BytesOf(this TorchFile file, PickleValue tensor)
    {
        var place = Assert.IsType<PickleTensor>(tensor);
        var bytes = new byte[place.ByteCount];
        file.Read(place, bytes);
        return bytes;
    }

    public static PickleValue Get(this PickleValue value, string key)
    {
        Assert.True(Assert.IsType<PickleDictionary>(value).TryGet(key, out var found), $"no entry '{key}' in {value}");
        return found!;
    }

    /// <summary>One number for all names, types, shapes and bytes, in the order of the file.</summary>
    public static string Digest(ITensorFile file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in file.Tensors)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.Name} {tensor}\n"));
            hash.AppendData(file.Bytes(tensor));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
