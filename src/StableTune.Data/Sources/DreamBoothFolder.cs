using System.Globalization;

namespace StableTune.Data;

/// <summary>
/// What the name of a folder says in the DreamBooth convention: <c>20_sls frog</c> means that each image occurs 20 times
/// in an epoch, and that "sls frog" is the caption of images that have no caption of their own.
/// </summary>
/// <param name="Repeats">The number before the first underscore, at least 1.</param>
/// <param name="ClassTokens">The text after it; may hold blanks and further underscores, and may be empty.</param>
public sealed record DreamBoothFolder(int Repeats, string ClassTokens)
{
    /// <summary>Reads a folder's name.</summary>
    /// <param name="name">The bare name, without parent folders.</param>
    /// <returns>
    /// What it says; null when the part before the first underscore is no whole number of at least 1. As in sd-scripts, blanks
    /// around the number, a plus sign and the decimal digits of any script are accepted, and a bare number means no class tokens.
    /// </returns>
    public static DreamBoothFolder? Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var cut = name.IndexOf('_', StringComparison.Ordinal);
        var number = cut < 0 ? name : name[..cut];
        return Number(number.Trim()) is int repeats and >= 1 ? new(repeats, cut < 0 ? "" : name[(cut + 1)..]) : null;
    }

    private static int? Number(string text)
    {
        if (text.StartsWith('+')) text = text[1..];
        if (text.Length == 0) return null;
        long value = 0;
        foreach (var digit in text)
        {
            var decimalDigit = CharUnicodeInfo.GetDecimalDigitValue(digit);
            if (decimalDigit < 0) return null;
            value = (value * 10) + decimalDigit;
            if (value > int.MaxValue) return null;
        }

        return (int)value;
    }
}
