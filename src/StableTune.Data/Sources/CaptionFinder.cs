using System.Text;

namespace StableTune.Data;

/// <summary>Finds and reads the caption files of one folder.</summary>
internal sealed class CaptionFinder
{
    private const int MostBytes = 16 << 20;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _folder;
    private readonly string[] _extensions;
    private readonly bool _byFullName;

    /// <summary>The folder's files by name in any case.</summary>
    private readonly ILookup<string, string> _names;

    /// <param name="folder">The folder; listed once, here.</param>
    /// <param name="extensions">The extensions to look for, with or without their dots, in any case; the first one wins.</param>
    /// <param name="byFullName">Whether <c>frog.png.txt</c> is the caption of <c>frog.png</c> where <c>frog.txt</c> is not there.</param>
    internal CaptionFinder(string folder, IEnumerable<string> extensions, bool byFullName = false)
    {
        _folder = folder;
        _byFullName = byFullName;
        _extensions = [.. extensions.Select(WithDot)];
        _names = FolderFiles.In(folder).Select(path => Path.GetFileName(path)).ToLookup(name => name, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The extensions that are looked for, in words.</summary>
    internal string Extensions => string.Join(" or ", _extensions);

    /// <summary>The caption file of an image; null when there is none.</summary>
    internal string? Find(string image) => All(image).FirstOrDefault();

    /// <summary>Every caption file that an image could have; more than one leaves the user's intention open.</summary>
    internal IEnumerable<string> All(string image) => Named(Stems(image, _byFullName), _extensions);

    /// <summary>Files that look like captions of an image, but have an extension or a name that is not looked for.</summary>
    internal (IEnumerable<string> OtherExtensions, IEnumerable<string> FullNames) Overlooked(string image) => (
        Named(Stems(image, byFullName: false), CaptionFiles.Any.Except(_extensions, StringComparer.OrdinalIgnoreCase)),
        _byFullName ? [] : Named([Path.GetFileName(image)], _extensions.Union(CaptionFiles.Any, StringComparer.OrdinalIgnoreCase)));

    /// <summary>The caption files that belong to none of these images.</summary>
    internal IEnumerable<string> Strays(IEnumerable<string> images)
    {
        var stems = images.SelectMany(image => Stems(image, byFullName: true)).ToHashSet(StringComparer.Ordinal);
        return from name in _names.SelectMany(names => names)
               let extension = _extensions.FirstOrDefault(extension => name.EndsWith(extension, StringComparison.OrdinalIgnoreCase))
               where extension is not null && !stems.Contains(name[..^extension.Length])
               select name;
    }

    /// <summary>Reads a caption file as it stands, without its byte order mark.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mayBeEmpty">Whether nothing is a caption too.</param>
    /// <exception cref="InvalidFileException">The file is empty and must not be, too large, not UTF-8, or cannot be read.</exception>
    internal static string Read(string path, bool mayBeEmpty = false)
    {
        var bytes = Bytes(path);
        if (!mayBeEmpty && bytes.AsSpan() is ([] or [0xEF, 0xBB, 0xBF]))                      // editors write nothing as a byte order mark
            throw new InvalidFileException(path, "the caption file is empty.",
                "Write a caption into it, or delete the file so that class tokens take its place.");
        if (bytes.AsSpan().Contains((byte)0) || bytes.AsSpan() is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            throw new InvalidFileException(path, "the caption file is not UTF-8: it is UTF-16 or no text.", "Save it as UTF-8.");
        try
        {
            return s_strict.GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, $"the caption file is not UTF-8 (byte {e.Index}).", "Save it as UTF-8.", e);
        }
    }

    private static string WithDot(string extension) => extension.StartsWith('.') ? extension : "." + extension;

    /// <summary>
    /// What a caption of an image may be called without its extension. One caption may serve all face crops of a picture.
    /// </summary>
    private static IEnumerable<string> Stems(string image, bool byFullName)
    {
        var stem = Path.GetFileNameWithoutExtension(image);
        yield return stem;
        if (byFullName) yield return Path.GetFileName(image);
        if (FacePlace.StemOf(stem) is { } shorter) yield return shorter;
    }

    private IEnumerable<string> Named(IEnumerable<string> stems, IEnumerable<string> extensions) =>
        from stem in stems
        from extension in extensions
        let alike = _names[stem + extension].Where(name => name.StartsWith(stem, StringComparison.Ordinal)).ToList()
        where alike.Count > 0
        // the extension's case as it was given goes first
        select Path.Combine(_folder, alike.Contains(stem + extension) ? stem + extension : alike[0]);

    private static byte[] Bytes(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MostBytes)
                throw new InvalidFileException(path, $"the caption file has {file.Length} bytes, {MostBytes} is the most.",
                    "Give the image a caption of its own, or choose other caption extensions.");
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is not InvalidFileException && FileProblems.IsAboutFiles(e))
        {
            throw new InvalidFileException(path, $"the caption file cannot be read: {e.Message.TrimEnd('.')}.",
                "Check that it may be read and that no other program holds it.", e);
        }
    }
}
