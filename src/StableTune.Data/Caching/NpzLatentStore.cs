using System.Collections.Concurrent;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>Latents in sd-scripts' files beside the images. Ours hold hashes of image and VAE in addition, which other programs pass over.</summary>
internal sealed class NpzLatentStore(VaeIdentity vae, CacheOptions options) : LatentStore
{
    private readonly ConcurrentDictionary<int, string> _paths = new();

    internal override CacheFinding Find(TrainingSample sample)
    {
        var own = LatentNames.For(sample.Path, sample.ImageSize, vae.IsSdxl);
        CacheFinding? worst = null;
        foreach (var path in Candidates(sample, own).Where(File.Exists))
        {
            var finding = options.SkipCheck ? new(CacheState.Present, path) : Check(path, sample);
            if (finding.State == CacheState.Present)
            {
                _paths[sample.Index] = path;
                return finding;
            }

            if (worst is null || finding.State == CacheState.Damaged) worst = finding;
        }

        return worst ?? new(CacheState.Missing, own);
    }

    internal override CachedLatents Read(TrainingSample sample)
    {
        var path = _paths.GetValueOrDefault(sample.Index) ?? LatentNames.For(sample.Path, sample.ImageSize, vae.IsSdxl);
        using var file = NpzFile.Open(path);
        var shape = ShapeOf(sample, vae.Channels);
        var archive = LatentArchive.Find(file, shape) ?? throw Unfit(path, $"{LatentArchive.Describe(file)}, not of [{string.Join(", ", shape)}]");
        var latents = Floats(file.ReadArray(archive.Latents.Name)) ?? throw Unfit(path, "its latents are no finite floating-point numbers");
        var flipped = sample.Subset.Augmentation.Flip ? Mirrored(file, archive, shape, path) ?? throw Unfit(path, "it holds no mirrored latents") : null;
        return new CachedLatents(ToTensor(latents, shape))
        {
            Flipped = flipped is null ? null : new(ToTensor(flipped, shape)),
            Mask = sample.Subset.Mask == LossMask.None ? null : SampleMask.Shrunk(sample, archive.Read(file, LatentArchive.Mask)) ?? throw Unfit(path, "it holds no mask of the picture's size"),
        };
    }

    internal override void Write(TrainingSample sample, CachedLatents latents)
    {
        var path = LatentNames.For(sample.Path, sample.ImageSize, vae.IsSdxl);
        var shape = ShapeOf(sample, vae.Channels);
        using (FileLock.Take(path))
        {
            var kept = Others(path, shape, out var suffix);
            NpzWriter.Write(path, [.. kept.Concat(Arrays(sample, latents, shape, suffix)).Select(array => array.ToPayload())]);
        }

        _paths[sample.Index] = path;
    }

    /// <summary>The files that may hold an image's latents, the one that goes first at the front.</summary>
    private IEnumerable<string> Candidates(TrainingSample sample, string own)
    {
        yield return LatentNames.Plain(sample.Path);
        yield return own;
        if (options.AcceptSdxlNames && !vae.IsSdxl) yield return LatentNames.For(sample.Path, sample.ImageSize, sdxl: true);
    }

    private CacheFinding Check(string path, TrainingSample sample) => CacheFinding.At(path, () =>
    {
        using var file = NpzFile.Open(path);
        return CacheFinding.Of(path, Fault(file, sample));
    });

    /// <summary>Why a file does not serve an image; null when it does. Reads all that would be used, so that damage shows now.</summary>
    private string? Fault(NpzFile file, TrainingSample sample)
    {
        var shape = ShapeOf(sample, vae.Channels);
        if (LatentArchive.Find(file, shape) is not { } archive) return $"{LatentArchive.Describe(file)}, and [{string.Join(", ", shape)}] is wanted";
        if (archive.ImageSize(file) is { } size && size != sample.ImageSize) return $"it was made from an image of {size}, which is {sample.ImageSize} now";
        if (Floats(file.ReadArray(archive.Latents.Name)) is null) return "its latents are no finite floating-point numbers";
        if (sample.Subset.Augmentation.Flip && Mirrored(file, archive, shape, file.Path) is null) return "it lacks the mirrored latents";
        if (sample.Subset.Mask == LossMask.Alpha && SampleMask.Shrunk(sample, archive.Read(file, LatentArchive.Mask)) is null) return "it lacks the mask";
        return VaeFault(archive.Hash(file, LatentArchive.VaeHash)) ?? ImageFault(archive.Hash(file, LatentArchive.ImageHash), file.Path, sample);
    }

    private string? VaeFault(string? hash)
    {
        var strict = options.Validation == CacheValidation.Content;
        if (hash is null) return strict ? "it does not say which VAE made it" : null;
        return hash == vae.Hash || vae.Hash.Length == 0 ? null : "another VAE made it";
    }

    /// <summary>The image's content is looked at where that is asked for, or where the image is younger than its latents.</summary>
    private string? ImageFault(string? hash, string path, TrainingSample sample)
    {
        var strict = options.Validation == CacheValidation.Content;
        if (sample.IsCachedOnly) return null;
        if (hash is null) return strict ? "it does not say from which image it was made" : null;
        if (!strict && File.GetLastWriteTimeUtc(sample.Path) <= File.GetLastWriteTimeUtc(path)) return null;
        return ImageHashes.Compute(sample.Path) == hash ? null : "the image has changed";
    }

    /// <summary>The mirrored latents; in old files they have a file of their own.</summary>
    private static float[]? Mirrored(NpzFile file, LatentArchive archive, long[] shape, string path)
    {
        if (archive.Read(file, LatentArchive.Flipped) is { } array) return array.Shape.SequenceEqual(shape) ? Floats(array) : null;
        var second = Path.ChangeExtension(path, null) + "_flip" + LatentNames.Extension;
        if (!File.Exists(second)) return null;
        using var mirrored = NpzFile.Open(second);
        return LatentArchive.Find(mirrored, shape) is { } found ? Floats(mirrored.ReadArray(found.Latents.Name)) : null;
    }

    /// <summary>What another program, or another resolution of the same image, put into the file that is about to be written.</summary>
    private static List<NpyArray> Others(string path, long[] shape, out string suffix)
    {
        suffix = "";
        if (!File.Exists(path)) return [];
        try
        {
            using var file = NpzFile.Open(path);
            // Plain names stay with the size that has them.
            if (file.TryGet(LatentArchive.LatentsName, out var plain) && !plain.Shape.SequenceEqual(shape)) suffix = LatentArchive.SuffixOf(shape);
            var ownsPlain = suffix.Length == 0;
            var replaced = LatentArchive.Names.SelectMany(name => new[] { name + LatentArchive.SuffixOf(shape), ownsPlain ? name : "" }).ToHashSet(StringComparer.Ordinal);
            return [.. file.Tensors.Where(array => !replaced.Contains(array.Name)).Select(array => file.ReadArray(array.Name))];
        }
        catch (InvalidFileException)
        {
            return [];                                       // what cannot be read is not kept; it was reported when the cache was opened
        }
    }

    private IEnumerable<NpyArray> Arrays(TrainingSample sample, CachedLatents latents, long[] shape, string suffix)
    {
        yield return Of(LatentArchive.LatentsName, latents.Latents);
        yield return NpyArray.Of<long>(LatentArchive.OriginalSize + suffix, [sample.ImageSize.Width, sample.ImageSize.Height], 2);
        yield return NpyArray.Of<double>(LatentArchive.Crop + suffix, MicroConditioning.CropEdges(sample.ImageSize, sample.Framing.Size), 4);
        if (latents.Flipped is { } flipped) yield return Of(LatentArchive.Flipped, flipped.Latents);
        if (sample.Subset.Mask == LossMask.Alpha)
            yield return NpyArray.Of<float>(LatentArchive.Mask + suffix, SampleMask.Whole(sample), sample.Framing.Size.Height, sample.Framing.Size.Width);
        yield return NpyArray.Of<byte>(LatentArchive.ImageHash + suffix, Convert.FromHexString(ImageHashes.Compute(sample.Path)), 32);
        if (vae.Hash.Length > 0) yield return NpyArray.Of<byte>(LatentArchive.VaeHash + suffix, Convert.FromHexString(vae.Hash), vae.Hash.Length / 2);

        NpyArray Of(string name, Tensor values) => new(name + suffix, TensorDType.F32, shape, values.contiguous().bytes.ToArray());
    }

    private static InvalidFileException Unfit(string path, string fault) => new(path, $"the cached latents do not serve: {fault}.",
        "It changed since the run began, or its check was skipped: start again, without SkipCheck.");
}
