using System.Collections.Concurrent;
using System.Text;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>
/// Latents in sd-scripts' files beside the images. Ours hold in addition where the latents come from (<see cref="LatentOrigin"/>), which
/// other programs pass over.
/// </summary>
internal sealed class NpzLatentStore(IReadOnlyList<TrainingSample> samples, VaeIdentity vae, CacheOptions options) : LatentStore
{
    private readonly LatentFileNames _names = new(samples, vae.IsSdxl);
    private readonly ConcurrentDictionary<int, string> _paths = new();
    private readonly ConcurrentDictionary<int, bool> _mirrored = new();

    internal override CacheFinding Find(TrainingSample sample)
    {
        var own = _names.For(sample);
        CacheFinding? worst = null;
        foreach (var path in _names.Candidates(sample, options.AcceptSdxlNames).Where(File.Exists))
        {
            // A file that does not say what it holds is not believed where several things have its name, whatever else is skipped.
            var doubtful = path != own && _names.IsContested(sample);
            var finding = options.SkipCheck && !doubtful ? new(CacheState.Present, path) : Check(path, sample, doubtful);
            if (finding.State == CacheState.Present)
            {
                _paths[sample.Index] = path;
                _mirrored[sample.Index] = HasOldMirrored(path, sample);
                return finding;
            }

            if (doubtful) continue;                                         // it is that of another image

            if (worst is null || finding.State == CacheState.Damaged) worst = finding;
        }

        return worst ?? new(CacheState.Missing, own);
    }

    internal override CachedLatents Read(TrainingSample sample)
    {
        var path = _paths.GetValueOrDefault(sample.Index) ?? _names.For(sample);
        using var file = NpzFile.Open(path);
        var shape = ShapeOf(sample, vae.Channels);
        var archive = LatentArchive.Find(file, shape)
            ?? throw Unfit(path, $"{LatentArchive.Describe(file)}, not of [{string.Join(", ", shape)}]");
        var latents = Floats(file.ReadArray(archive.Latents.Name)) ?? throw Unfit(path, "its latents are no finite floating-point numbers");
        var flipped = sample.Subset.Augmentation.Flip || MirrorsAtRandom(sample) ? Mirrored(file, archive, shape, path)
            ?? throw Unfit(path, "it holds no mirrored latents") : null;
        return new CachedLatents(ToTensor(latents, shape))
        {
            Flipped = flipped is null ? null : new(ToTensor(flipped, shape)),
            Mask = sample.Subset.Mask == LossMask.None ? null : SampleMask.Shrunk(sample, archive.Read(file, LatentArchive.Mask))
                ?? throw Unfit(path, "it holds no mask of the picture's size"),
        };
    }

    internal override void Write(TrainingSample sample, CachedLatents latents)
    {
        var path = _names.For(sample);
        var shape = ShapeOf(sample, vae.Channels);
        var origin = LatentOrigin.Of(sample, vae);
        using (FileLock.Take(path))
        {
            var (kept, suffix) = Kept(path, shape, origin);
            var names = kept.Select(array => array.Name).ToHashSet(StringComparer.Ordinal);
            var added = Arrays(sample, latents, shape, suffix, origin).Where(array => !names.Contains(array.Name));
            NpzWriter.Write(path, [.. kept.Concat(added).Select(array => array.ToPayload())]);
        }

        _paths[sample.Index] = path;
        _mirrored[sample.Index] = false;
    }

    internal override bool MirrorsAtRandom(TrainingSample sample) => _mirrored.GetValueOrDefault(sample.Index);

    /// <summary>In sd-scripts' old layout the mirrored latents are used at random wherever their file exists, without an option.</summary>
    private bool HasOldMirrored(string path, TrainingSample sample)
    {
        if (path != LatentNames.Plain(sample.Path) || !File.Exists(SecondOf(path))) return false;
        using var file = NpzFile.Open(path);
        var shape = ShapeOf(sample, vae.Channels);
        return LatentArchive.Find(file, shape) is { } archive && Mirrored(file, archive, shape, path) is not null;
    }

    private CacheFinding Check(string path, TrainingSample sample, bool doubtful) => CacheFinding.At(path, () =>
    {
        using var file = NpzFile.Open(path);
        if (LatentArchive.Find(file, ShapeOf(sample, vae.Channels)) is not { } archive)
            return CacheFinding.Of(path,
                $"{LatentArchive.Describe(file)}, and [{string.Join(", ", ShapeOf(sample, vae.Channels))}] is wanted");
        var origin = archive.Origin(file, flipped: false);
        if (doubtful && origin is null) return CacheFinding.Of(path, "it does not say of which image it is, and several have its name");
        var fault = Fault(file, archive, sample) ?? Fault(origin, sample);
        if (fault is null && sample.Subset.Augmentation.Flip) fault = Fault(archive.Origin(file, flipped: true), sample);
        var isOld = fault is null && origin is null && !sample.Item.IsCachedOnly
            && File.GetLastWriteTimeUtc(sample.Path) > File.GetLastWriteTimeUtc(path);
        return CacheFinding.Of(path, fault) with
        {
            Note = isOld ? "they do not say from which images they were made, and are older than these; delete them if the images changed"
                : null,
        };
    });

    /// <summary>
    /// Why the content of a file does not serve an image; null when it does. Reads all that would be used, so that damage shows now.
    /// </summary>
    private static string? Fault(NpzFile file, LatentArchive archive, TrainingSample sample)
    {
        if (archive.ImageSize(file) is { } size && size != sample.ImageSize)
            return $"it was made from an image of {size}, which is {sample.ImageSize} now";
        if (Floats(file.ReadArray(archive.Latents.Name)) is null) return "its latents are no finite floating-point numbers";
        if (sample.Subset.Augmentation.Flip && Mirrored(file, archive, [.. archive.Latents.Shape], file.Path) is null)
            return "it lacks the mirrored latents";
        return sample.Subset.Mask == LossMask.Alpha && SampleMask.Shrunk(sample, archive.Read(file, LatentArchive.Mask)) is null
            ? "it lacks the mask" : null;
    }

    /// <summary>Why latents that come from there do not serve an image; null when they do.</summary>
    private string? Fault(LatentOrigin? origin, TrainingSample sample)
    {
        var strict = options.Validation == CacheValidation.Content;
        if (origin is null)
            return !strict ? null : sample.Item.IsCachedOnly ? "it does not say which VAE made it"
                : "it does not say from which image and by which VAE it was made";
        if (vae.Hash.Length > 0 && origin.Vae.Length > 0 && origin.Vae != vae.Hash) return "another VAE made it";
        if (strict && origin.Vae.Length == 0) return "it does not say which VAE made it";
        if (sample.Item.IsCachedOnly) return null;
        if (!sample.IsSizedByMetadata && origin.Preparation != LatentOrigin.PreparationHash(sample))
            return "the image was resized or cut in another way";
        // The content is looked at where that is asked for, or where name, length or time are not those of the image that was encoded.
        if (!strict && origin.Stamp == LatentOrigin.StampOf(sample.Path)) return null;
        return ImageHashes.Compute(sample.Path) == origin.Image ? null : "the image has changed";
    }

    /// <summary>The mirrored latents; in old files they have a file of their own.</summary>
    private static float[]? Mirrored(NpzFile file, LatentArchive archive, long[] shape, string path)
    {
        if (archive.Read(file, LatentArchive.Flipped) is { } array) return array.Shape.SequenceEqual(shape) ? Floats(array) : null;
        if (!File.Exists(SecondOf(path))) return null;
        using var mirrored = NpzFile.Open(SecondOf(path));
        return LatentArchive.Find(mirrored, shape) is { } found ? Floats(mirrored.ReadArray(found.Latents.Name)) : null;
    }

    private static string SecondOf(string path) => Path.ChangeExtension(path, null) + "_flip" + LatentNames.Extension;

    /// <summary>
    /// What stays of the file that is about to be written: what another program, or another resolution of the same image, put there, and
    /// latents of the very same origin, whose sample must not change under those who use it.
    /// </summary>
    private static (List<NpyArray> Arrays, string Suffix) Kept(string path, long[] shape, LatentOrigin origin)
    {
        if (!File.Exists(path)) return ([], "");
        try
        {
            using var file = NpzFile.Open(path);
            // Plain names stay with the size that has them.
            var suffix = file.TryGet(LatentArchive.LatentsName, out var plain) && !plain.Shape.SequenceEqual(shape)
                ? LatentArchive.SuffixOf(shape) : "";
            string[] owned =
                [.. LatentArchive.Names.SelectMany(name => new[] { name + LatentArchive.SuffixOf(shape), suffix.Length == 0 ? name : "" })];
            var stays = new HashSet<string>(StringComparer.Ordinal);
            if (LatentArchive.Find(file, shape) is { } archive && archive.Suffix == suffix)
            {
                if (origin.IsAs(archive.Origin(file, flipped: false)))
                    stays.UnionWith([LatentArchive.LatentsName + suffix, LatentArchive.Record + suffix, LatentArchive.Mask + suffix]);
                if (origin.IsAs(archive.Origin(file, flipped: true)))
                    stays.UnionWith([LatentArchive.Flipped + suffix, LatentArchive.FlippedRecord + suffix]);
            }

            return ([.. file.Tensors.Where(array => stays.Contains(array.Name) || !owned.Contains(array.Name))
                .Select(array => file.ReadArray(array.Name))], suffix);
        }
        catch (InvalidFileException)
        {
            return ([], "");                                 // what cannot be read is not kept; it was reported when the cache was opened
        }
    }

    private static IEnumerable<NpyArray> Arrays(TrainingSample sample, CachedLatents latents, long[] shape, string suffix,
        LatentOrigin origin)
    {
        var plain = Of(LatentArchive.LatentsName, latents.Latents);
        yield return plain;
        yield return NpyArray.Of<long>(LatentArchive.OriginalSize + suffix, [sample.ImageSize.Width, sample.ImageSize.Height], 2);
        yield return NpyArray.Of<double>(LatentArchive.Crop + suffix, MicroConditioning.CropEdges(sample.ImageSize, sample.Framing.Size),
            4);
        var flipped = latents.Flipped is { } mirrored ? Of(LatentArchive.Flipped, mirrored.Latents) : null;
        if (flipped is not null) yield return flipped;
        if (sample.Subset.Mask == LossMask.Alpha)
            yield return NpyArray.Of<float>(LatentArchive.Mask + suffix, SampleMask.Whole(sample), sample.Framing.Size.Height,
                sample.Framing.Size.Width);
        yield return Hash(LatentArchive.ImageHash, origin.Image);
        if (origin.Vae.Length > 0) yield return Hash(LatentArchive.VaeHash, origin.Vae);
        yield return Hash(LatentArchive.Preparation, origin.Preparation);
        var stamp = Encoding.UTF8.GetBytes(origin.Stamp!);
        yield return NpyArray.Of<byte>(LatentArchive.ImageStamp + suffix, stamp, stamp.Length);
        yield return Hash(LatentArchive.Record, origin.RecordOf(plain.Bytes.Span));
        if (flipped is not null) yield return Hash(LatentArchive.FlippedRecord, origin.RecordOf(flipped.Bytes.Span));

        NpyArray Hash(string name, string digits) => NpyArray.Of<byte>(name + suffix, Convert.FromHexString(digits), digits.Length / 2);

        NpyArray Of(string name, Tensor values) => new(name + suffix, TensorDType.F32, shape, values.contiguous().bytes.ToArray());
    }

    private static InvalidFileException Unfit(string path, string fault) => new(path, $"the cached latents do not serve: {fault}.",
        "It changed since the run began, or its check was skipped: start again, without SkipCheck.");
}
