using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// Finds what the keys of a metadata file stand for: images, or latents of images that are gone. Each folder is listed once.
/// </summary>
/// <param name="extensions">The extensions of images, in lower case; where a name fits several files, the first counts.</param>
internal sealed class MetadataPlaces(IReadOnlyList<string> extensions)
{
    private readonly Dictionary<string, Dictionary<string, PixelSize>> _latents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ILookup<string, string>> _images = new(StringComparer.Ordinal);

    /// <summary>An image: the file itself, or one with this name and an extension of images; null when there is none.</summary>
    internal DatasetItem? Find(string path)
    {
        if (!File.Exists(path))
        {
            var alike = ImagesBeside(path)[Path.GetFileName(path)];
            if (alike.MinBy(image => extensions.ToList().IndexOf(Path.GetExtension(image).ToLowerInvariant())) is not { } found)
                return null;
            path = found;
        }

        return new DatasetItem(path, null) { HasLatentsBeside = File.Exists(LatentNames.Plain(path))
            || LatentsBeside(path).ContainsKey(Path.ChangeExtension(path, null)) };
    }

    /// <summary>
    /// An image that is gone while its latents are still there: of the size that their name tells, else of the one noted for training.
    /// </summary>
    internal DatasetItem? Gone(string path, ImageMetadata image)
    {
        if (!ImageFiles.IsImage(path, extensions)) path += ".png";
        var latents = LatentsBeside(path);
        if (latents.TryGetValue(Path.ChangeExtension(path, null), out var size) || latents.TryGetValue(path, out size))
            return new DatasetItem(path, size, null) { IsCachedOnly = true, HasLatentsBeside = true };
        return image.TrainResolution is { } chosen && File.Exists(LatentNames.Plain(path))
            ? new DatasetItem(path, chosen, null) { IsCachedOnly = true, PreparedFrom = image.ImageSize ?? chosen } : null;
    }

    private Dictionary<string, PixelSize> LatentsBeside(string path) => Of(_latents, path, LatentNames.In, []);

    private ILookup<string, string> ImagesBeside(string path) =>
        Of(_images, path, folder => ImageFiles.In(folder, extensions).ToLookup(image => Path.GetFileNameWithoutExtension(image),
            StringComparer.Ordinal),
            Array.Empty<string>().ToLookup(image => image, StringComparer.Ordinal));

    private static T Of<T>(Dictionary<string, T> known, string path, Func<string, T> list, T nothing)
    {
        if (Path.GetDirectoryName(path) is not { } folder || !Directory.Exists(folder)) return nothing;
        return known.TryGetValue(folder, out var listed) ? listed : known[folder] = list(folder);
    }
}
