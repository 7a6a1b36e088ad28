using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>
/// Latents in a folder of their own, one safetensors file for each image and size, named by the image's content and how it was cut: they
/// are found again wherever the image lies, and several runs may share them.
/// </summary>
internal sealed class FolderLatentStore(string folder, VaeIdentity vae, CacheOptions options) : LatentStore
{
    private const string Sample = "latents", Mean = "mean", LogVariance = "logvar", FlippedEnding = "_flipped", MaskName = "mask";
    private const string VaeKey = "vae_hash", ImageKey = "image_hash", ChecksumKey = "checksum", SizeKey = "original_size";

    private readonly ImageHashes _hashes = new(folder);

    private bool KeepsDistribution => options.Posterior == LatentPosterior.MeanStd;

    internal override CacheFinding Find(TrainingSample sample) => CacheFinding.At(sample.Path, () => Look(sample));

    private CacheFinding Look(TrainingSample sample)
    {
        if (PathOf(sample, options.Validation == CacheValidation.Content, out var previous) is not { } path)
            return new(CacheState.Missing, Path.Combine(folder, Path.GetFileName(sample.Path)));
        if (!File.Exists(path))
            return previous is null ? new(CacheState.Missing, path) : new(CacheState.Stale, sample.Path, "the image has changed");
        if (options.SkipCheck) return new(CacheState.Present, path);
        using var file = SafetensorsFile.Open(path);
        return CacheFinding.Of(path, Fault(file, sample));
    }

    internal override CachedLatents Read(TrainingSample sample)
    {
        var path = PathOf(sample, anew: false, out _)
            ?? throw new InvalidFileException(sample.Path, "the image is gone, and the cache does not know it.",
            "Put it back, or leave it out.");
        using var file = SafetensorsFile.Open(path);
        var shape = ShapeOf(sample, vae.Channels);
        return new CachedLatents(Tensor(file, First, shape), KeepsDistribution ? Tensor(file, LogVariance, shape) : null)
        {
            Flipped = !sample.Subset.Augmentation.Flip ? null
                : new(Tensor(file, First + FlippedEnding, shape), KeepsDistribution ? Tensor(file, LogVariance + FlippedEnding, shape)
                    : null),
            Mask = sample.Subset.Mask == LossMask.None ? null : Values(file, MaskName, shape[1..]),
        };
    }

    internal override void Write(TrainingSample sample, CachedLatents latents)
    {
        var path = PathOf(sample, anew: false, out _)!;
        var tensors = new List<(string Name, Tensor Tensor)>();
        Add("", latents);
        if (latents.Flipped is { } flipped) Add(FlippedEnding, flipped);
        using var scope = NewDisposeScope();
        if (latents.Mask is { } mask) tensors.Add((MaskName, tensor(mask).reshape(ShapeOf(sample, vae.Channels)[1..])));
        var metadata = new OrderedDictionary<string, string>(StringComparer.Ordinal)
        {
            [ImageKey] = _hashes.Of(sample.Path, anew: false, out _)!,
            [VaeKey] = vae.Hash,
            [SizeKey] = string.Create(CultureInfo.InvariantCulture, $"{sample.ImageSize.Width}x{sample.ImageSize.Height}"),
            [ChecksumKey] = Checksum(tensors.OrderBy(entry => entry.Name, StringComparer.Ordinal)
                .Select(entry => entry.Tensor.contiguous().bytes.ToArray())),
        };
        SafetensorsWriter.Write(path, StatePayloads.Of(tensors, ScalarType.Float32), metadata);

        void Add(string ending, CachedLatents of)
        {
            tensors.Add(((of.LogVariance is null ? Sample : Mean) + ending, of.Latents));
            if (of.LogVariance is { } logVariance) tensors.Add((LogVariance + ending, logVariance));
        }
    }

    internal override void Settle() => _hashes.Save();

    private string First => KeepsDistribution ? Mean : Sample;

    private string? Fault(SafetensorsFile file, TrainingSample sample)
    {
        var shape = ShapeOf(sample, vae.Channels);
        if (vae.Hash.Length > 0 && file.Metadata.GetValueOrDefault(VaeKey) != vae.Hash) return "another VAE made it";
        string[] wanted = KeepsDistribution ? [Mean, LogVariance] : [Sample];
        if (!wanted.All(name => Has(name)))
            return KeepsDistribution ? "it holds a sample, and mean and variance are wanted"
                : "it holds mean and variance, and a sample is wanted";
        if (sample.Subset.Augmentation.Flip && !wanted.All(name => Has(name + FlippedEnding))) return "it lacks the mirrored latents";
        if (sample.Subset.Mask != LossMask.None && !(file.TryGet(MaskName, out var mask) && mask.DType == TensorDType.F32
            && mask.Shape.SequenceEqual(shape[1..]))) return "it lacks the mask";
        // The file's name tells the options, so there is nothing else in it; what is may be of any size, and is not read.
        var written = (wanted.Length * (sample.Subset.Augmentation.Flip ? 2 : 1)) + (sample.Subset.Mask != LossMask.None ? 1 : 0);
        if (file.Tensors.Count != written)
            throw new InvalidFileException(file.Path, $"it holds {file.Tensors.Count} tensors instead of {written}.", "Delete it.");
        var checksum = Checksum(file.Tensors.OrderBy(info => info.Name, StringComparer.Ordinal).Select(info => Bytes(file, info)));
        if (file.Metadata.GetValueOrDefault(ChecksumKey) != checksum)
            throw new InvalidFileException(file.Path, "its bytes do not give the checksum that it tells.", "Delete it.");
        return null;

        bool Has(string name) => file.TryGet(name, out var info) && info.DType == TensorDType.F32 && info.Shape.SequenceEqual(shape);
    }

    /// <summary>The file of an image; null when the image is gone and its content is not known.</summary>
    private string? PathOf(TrainingSample sample, bool anew, out string? previous)
    {
        if (_hashes.Of(sample.Path, anew, out previous) is not { } image) return null;
        var mask = sample.Subset.Mask == LossMask.Conditioning && sample.Item.ConditioningPath is { } second
            ? _hashes.Of(second, anew, out _) : "";
        var key = $"{image}|{PreparationOf(sample)}|{sample.Subset.Mask}|{mask}|{sample.Subset.Augmentation.Flip}|{options.Posterior}";
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32];
        return Path.Combine(folder, name[..2], name + ".safetensors");
    }

    private static Tensor Tensor(SafetensorsFile file, string name, long[] shape) => ToTensor(Values(file, name, shape), shape);

    private static float[] Values(SafetensorsFile file, string name, long[] shape)
    {
        var info = file[name];
        if (info.DType != TensorDType.F32 || !info.Shape.SequenceEqual(shape))
            throw new InvalidFileException(file.Path, $"{name} is {info}, not F32 [{string.Join(", ", shape)}].",
                "It changed since the run began, or its check was skipped: start again, without SkipCheck.");
        var values = new float[info.ElementCount];
        file.Read(info, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static byte[] Bytes(SafetensorsFile file, TensorInfo info)
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return bytes;
    }

    private static string Checksum(IEnumerable<byte[]> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts) hash.AppendData(part);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
