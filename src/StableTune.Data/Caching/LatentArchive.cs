using System.Globalization;
using System.Text;
using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Which arrays of an <c>.npz</c> file are the latents of one size, and what stands beside them.</summary>
/// <param name="Latents">The array with them.</param>
/// <param name="Suffix">What the names of the other arrays end in: the size of the latents where a file holds several.</param>
internal sealed record LatentArchive(TensorInfo Latents, string Suffix)
{
    internal const string LatentsName = "latents", Flipped = "latents_flipped", OriginalSize = "original_size", Crop = "crop_ltrb",
        Mask = "alpha_mask",
        ImageHash = "image_hash", VaeHash = "vae_hash", Unnamed = "arr_0", ImageStamp = "image_stamp", Preparation = "preparation",
        Record = "record",
        FlippedRecord = "record_flipped";

    /// <summary>Everything that belongs to one size, and is replaced together.</summary>
    internal static readonly string[] Names =
        [LatentsName, OriginalSize, Crop, Flipped, Mask, ImageHash, VaeHash, ImageStamp, Preparation, Record, FlippedRecord];

    /// <summary>Finds latents of a shape [C, h, w]: under names with that size, else under plain ones; null when there are none.</summary>
    internal static LatentArchive? Find(NpzFile file, long[] shape)
    {
        var suffix = SuffixOf(shape);
        if (file.TryGet(LatentsName + suffix, out var sized) && sized.Shape.SequenceEqual(shape)) return new(sized, suffix);
        foreach (var name in new[] { LatentsName, Unnamed })
            if (file.TryGet(name, out var plain) && plain.Shape.SequenceEqual(shape)) return new(plain, "");
        return null;
    }

    /// <summary><c>_64x48</c> for latents 64 high and 48 wide.</summary>
    internal static string SuffixOf(long[] shape) => string.Create(CultureInfo.InvariantCulture, $"_{shape[1]}x{shape[2]}");

    /// <summary>The sizes of all latents in a file, for messages.</summary>
    internal static string Describe(NpzFile file)
    {
        var all = file.Tensors.Where(array => array.Name == Unnamed || (array.Name.StartsWith(LatentsName, StringComparison.Ordinal)
            && !array.Name.StartsWith(Flipped, StringComparison.Ordinal))).ToList();
        return all.Count == 0 ? "it holds no latents"
            : $"it holds latents of {string.Join(", ", all.Select(array => $"[{string.Join(", ", array.Shape)}]"))}";
    }

    /// <summary>An array beside the latents; null when it is not there.</summary>
    internal NpyArray? Read(NpzFile file, string name) => file.TryGet(name + Suffix, out _) ? file.ReadArray(name + Suffix) : null;

    /// <summary>The size of the image that was encoded; null when the file does not tell.</summary>
    internal PixelSize? ImageSize(NpzFile file) => Read(file, OriginalSize) is { } array ? array.DType switch
    {
        TensorDType.I64 when array.As<long>() is [> 0 and <= int.MaxValue and var width, > 0 and <= int.MaxValue and var height] =>
            new PixelSize((int)width, (int)height),
        TensorDType.I32 when array.As<int>() is [> 0 and var width, > 0 and var height] => new PixelSize(width, height),
        _ => null,
    } : null;

    /// <summary>
    /// Where latents come from, as we noted it; null where another program made them. Each of both kinds has a record of its own, because
    /// another program that completes a file keeps our notes beside latents of its own.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="flipped">Whether the mirrored ones are meant.</param>
    internal LatentOrigin? Origin(NpzFile file, bool flipped)
    {
        if (Hash(file, ImageHash) is not { } image || Hash(file, Preparation) is not { } preparation) return null;
        var origin = new LatentOrigin(image, Hash(file, VaeHash) ?? "", preparation);
        var latents = flipped ? Read(file, Flipped) : file.ReadArray(Latents.Name);
        return latents is not null && Hash(file, flipped ? FlippedRecord : Record) == origin.RecordOf(latents.Bytes.Span)
            ? origin with { Stamp = Read(file, ImageStamp) is { DType: TensorDType.U8 } stamp ? Encoding.UTF8.GetString(stamp.Bytes.Span)
                : null } : null;
    }

    private string? Hash(NpzFile file, string name) => Read(file, name) is { DType: TensorDType.U8 } array
        ? Convert.ToHexStringLower(array.Bytes.Span) : null;
}
