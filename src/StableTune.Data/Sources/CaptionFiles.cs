using System.Text;

namespace StableTune.Data;

/// <summary>Finds and reads the caption files of one folder.</summary>
internal sealed class CaptionFiles
{
    /// <summary>The extensions that are looked for when none was chosen, the first one wins. sd-scripts knows the first only.</summary>
    internal static readonly string[] DefaultExtensions = [".caption", ".txt"];

    private const int MostBytes = 16 << 20;

    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _folder;
    private readonly string[] _extensions;
    private readonly HashSet<string> _names;

    /// <param name="folder">The folder; listed once, here.</param>
    /// <param name="extension">The one extension to look for, with or without its dot; null means the default ones.</param>
    internal CaptionFiles(string folder, string? extension)
    {
        _folder = folder;
        _extensions = extension is null ? DefaultExtensions : [extension.StartsWith('.') ? extension : "." + extension];
        _names = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The caption file of an image; null when there is none.</summary>
    internal string? Find(string image) => All(image).FirstOrDefault();

    /// <summary>Every caption file that an image could have; more than one leaves the user's intention open.</summary>
    internal IEnumerable<string> All(string image)
    {
        var stem = Path.GetFileNameWithoutExtension(image);
        string[] stems = FacePlace.StemOf(stem) is { } shorter ? [stem, shorter] : [stem];   // one caption may serve all face crops of a picture
        return from candidate in stems
               from extension in _extensions
               where _names.Contains(candidate + extension)
               select Path.Combine(_folder, candidate + extension);
    }

    /// <summary>Reads a caption file as it stands, without its byte order mark.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mayBeEmpty">Whether nothing is a caption too.</param>
    /// <exception cref="InvalidFileException">The file is empty and must not be, too large, not UTF-8, or cannot be read.</exception>
    internal static string Read(string path, bool mayBeEmpty = false)
    {
        var bytes = Bytes(path);
        if (!mayBeEmpty && bytes.AsSpan() is ([] or [0xEF, 0xBB, 0xBF]))                      // editors write nothing as a byte order mark
            throw new InvalidFileException(path, "the caption file is empty.", "Write a caption into it, or delete the file so that class tokens take its place.");
        if (bytes.AsSpan().Contains((byte)0) || bytes.AsSpan() is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            throw new InvalidFileException(path, "the caption file is not UTF-8: it is UTF-16 or no text.", "Save it as UTF-8.");
        try
        {
            return _strict.GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, $"the caption file is not UTF-8 (byte {e.Index}).", "Save it as UTF-8.", e);
        }
    }

    private static byte[] Bytes(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MostBytes)
                throw new InvalidFileException(path, $"the caption file has {file.Length} bytes, {MostBytes} is the most.", "Give the image a caption of its own, or choose another caption extension.");
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is not InvalidFileException && FileProblems.IsAboutFiles(e))
        {
            throw new InvalidFileException(path, $"the caption file cannot be read: {e.Message.TrimEnd('.')}.", "Check that it may be read and that no other program holds it.", e);
        }
    }
}
