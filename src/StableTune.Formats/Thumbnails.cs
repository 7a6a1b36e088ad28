namespace StableTune.Formats;

/// <summary>Small pictures as they stand in metadata: as data URLs.</summary>
public static class Thumbnails
{
    /// <summary>What a data URL of a picture begins with.</summary>
    public const string UrlStart = "data:image/";

    /// <summary>The largest picture taken: it stands in the header of the file, which every reader reads whole.</summary>
    public const int MaximumBytes = 4 << 20;

    private static readonly (byte[] Start, int Offset, string Type)[] Kinds =
    [
        ([0x89, 0x50, 0x4E, 0x47], 0, "png"), ([0xFF, 0xD8, 0xFF], 0, "jpeg"), ("WEBP"u8.ToArray(), 8, "webp"),
            ("GIF8"u8.ToArray(), 0, "gif"),
    ];

    /// <summary>The data URL of a picture file; its content tells the type.</summary>
    /// <param name="path">A PNG, JPEG, WebP or GIF file of at most <see cref="MaximumBytes"/>.</param>
    /// <exception cref="InvalidFileException">The file is missing, too large, or no such picture.</exception>
    public static string Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = FileBytes.Open(path);
        if (file.Length > MaximumBytes)
            throw new InvalidFileException(path, $"a thumbnail of {file.Length} bytes is too large, at most {MaximumBytes} are allowed.",
                "Make it smaller: 256 pixels are enough.");
        var bytes = new byte[file.Length];
        FileBytes.Read(file.SafeFileHandle, bytes, 0, path);
        foreach (var (start, offset, type) in Kinds)
            if (bytes.Length > offset && bytes.AsSpan(offset).StartsWith(start))
                return $"{UrlStart}{type};base64,{Convert.ToBase64String(bytes)}";
        throw new InvalidFileException(
            path, "a thumbnail must be a picture, and this is none that is known.", "Give a PNG, JPEG, WebP or GIF file.");
    }
}
