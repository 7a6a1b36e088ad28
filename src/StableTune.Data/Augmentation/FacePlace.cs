using System.Globalization;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Where a face is in an image, as the image's file name tells: <c>anna_0150_0090_0040_0050.png</c>.</summary>
/// <remarks>sd-scripts' tool writes such names, and <see cref="AugmentationOptions.FaceCrop"/> reads them.</remarks>
/// <param name="X">Column of the face's middle.</param>
/// <param name="Y">Row of the face's middle.</param>
/// <param name="Width">Width of the face in pixels, at least 1.</param>
/// <param name="Height">Height of the face in pixels, at least 1.</param>
public readonly record struct FacePlace(int X, int Y, int Width, int Height)
{
    private const int Numbers = 4;

    /// <summary>The longer side: what the reference calls the size of a face.</summary>
    public int Size => Math.Max(Width, Height);

    /// <summary>Reads a name such as <c>anna_150_90_40_50.png</c>.</summary>
    /// <param name="path">A file's path or name; the file need not exist.</param>
    /// <returns>Null where the name does not end in four numbers, or the face has no area.</returns>
    public static FacePlace? Parse(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Split(Path.GetFileNameWithoutExtension(path)) is (_, [var x, var y, > 0 and var width, > 0 and var height])
            ? new(x, y, width, height) : null;
    }

    /// <summary>The name of an image that shows the face here, with at least four digits to a number.</summary>
    /// <param name="stem">What the name begins with: the original's name without extension.</param>
    /// <param name="number">Which of several faces of an image it is, from 1; null where there is one.</param>
    /// <returns>For instance <c>anna_0150_0090_0040_0050.png</c>, or <c>anna_02_0150_0090_0040_0050.png</c>.</returns>
    /// <exception cref="InvalidOperationException">The middle is at a negative place, or the face has no area: no name tells
    /// that.</exception>
    public string FileName(string stem, int? number = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(stem);
        if (X < 0 || Y < 0 || Width < 1 || Height < 1)
            throw new InvalidOperationException($"a file name cannot tell of a face of {Width}x{Height} around ({X}, {Y})");
        var which = number is { } count ? string.Create(CultureInfo.InvariantCulture, $"_{count:D2}") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{stem}{which}_{X:D4}_{Y:D4}_{Width:D4}_{Height:D4}.png");
    }

    /// <summary>A name without the four numbers at its end; null where it has none.</summary>
    internal static string? StemOf(string stem) => Split(stem)?.Stem;

    private static (string Stem, int[] Places)? Split(string stem)
    {
        var parts = stem.Split('_');
        if (parts.Length <= Numbers) return null;
        var places = new int[Numbers];
        for (var i = 0; i < Numbers; i++)
            if (!int.TryParse(parts[i - Numbers + parts.Length], NumberStyles.None, CultureInfo.InvariantCulture, out places[i]))
                return null;
        return (string.Join('_', parts[..^Numbers]), places);
    }
}
