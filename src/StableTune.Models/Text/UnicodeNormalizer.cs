using System.Globalization;
using System.Text;

namespace StableTune.Models;

/// <summary>Normalisation forms C and D (Unicode Standard Annex 15) from a table of our own.</summary>
/// <remarks><see cref="string.Normalize()"/> returns its text unchanged in .NET's invariant globalization mode, and token ids must not
/// depend on that.</remarks>
internal sealed class UnicodeNormalizer
{
    private const int HangulS = 0xAC00, HangulL = 0x1100, HangulV = 0x1161, HangulT = 0x11A7;
    private const int HangulLCount = 19, HangulVCount = 21, HangulTCount = 28;

    private static readonly Lazy<UnicodeNormalizer> Shared = new(() =>
        new UnicodeNormalizer(EmbeddedResource.ReadLines("unicode-nfc.txt")));

    private readonly Dictionary<int, (int First, int Second)> _decompositions = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];
    private readonly Dictionary<int, byte> _classes = [];

    private UnicodeNormalizer(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            if (line.StartsWith('#')) continue;
            if (line.Contains(':', StringComparison.Ordinal)) AddClasses(line);
            else AddDecomposition(line);
        }
    }

    /// <summary>The text in form C. Half surrogate pairs become U+FFFD.</summary>
    public static string FormC(string text)
    {
        // Nothing below U+0300 combines or is affected by what stands beside it.
        if (!text.AsSpan().ContainsAnyInRange('\u0300', '\uFFFF')) return text;
        return Shared.Value.Normalize(text);
    }

    /// <summary>The text in form D: letters and their accents apart. Half surrogate pairs become U+FFFD.</summary>
    public static string FormD(string text) => text.AsSpan().ContainsAnyInRange('\u00C0', '\uFFFF') ? Shared.Value.Decompose(text) : text;

    private void AddClasses(string line)
    {
        var parts = line.Split('-', ':');
        for (var (code, last) = (Hex(parts[0]), Hex(parts[1])); code <= last; code++)
            _classes[code] = byte.Parse(parts[2], CultureInfo.InvariantCulture);
    }

    private void AddDecomposition(string line)
    {
        var parts = line.Split('=', '>', '+');
        var pair = (Hex(parts[1]), parts.Length > 2 ? Hex(parts[2]) : 0);
        _decompositions[Hex(parts[0])] = pair;
        if (line.Contains('=', StringComparison.Ordinal)) _compositions[pair] = Hex(parts[0]);
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private string Normalize(string text)
    {
        var codes = Decomposed(text);
        Compose(codes);
        return TextOf(codes);
    }

    private string Decompose(string text) => TextOf(Decomposed(text));

    private List<int> Decomposed(string text)
    {
        var codes = new List<int>(text.Length + 16);
        foreach (var rune in text.EnumerateRunes()) Decompose(rune.Value, codes);
        Order(codes);
        return codes;
    }

    private static string TextOf(List<int> codes)
    {
        var result = new StringBuilder(codes.Count);
        foreach (var code in codes) result.Append(new Rune(code).ToString());
        return result.ToString();
    }

    private void Decompose(int code, List<int> into)
    {
        var syllable = code - HangulS;
        if (syllable is >= 0 and < HangulLCount * HangulVCount * HangulTCount)
        {
            into.Add(HangulL + syllable / (HangulVCount * HangulTCount));
            into.Add(HangulV + syllable % (HangulVCount * HangulTCount) / HangulTCount);
            if (syllable % HangulTCount != 0) into.Add(HangulT + syllable % HangulTCount);
        }
        else if (_decompositions.TryGetValue(code, out var pair))
        {
            Decompose(pair.First, into);
            if (pair.Second != 0) into.Add(pair.Second);
        }
        else
        {
            into.Add(code);
        }
    }

    /// <summary>Sorts each run of combining marks by class, equal classes in their order.</summary>
    private void Order(List<int> codes)
    {
        for (var start = 0; start < codes.Count; start++)
        {
            if (ClassOf(codes[start]) == 0) continue;
            var end = start + 1;
            while (end < codes.Count && ClassOf(codes[end]) != 0) end++;
            if (end - start > 1)
            {
                var ordered = codes.GetRange(start, end - start).OrderBy(ClassOf).ToArray();   // a stable sort
                for (var i = 0; i < ordered.Length; i++) codes[start + i] = ordered[i];
            }

            start = end - 1;
        }
    }

    private void Compose(List<int> codes)
    {
        var (written, starter, lastClass) = (0, -1, -1);
        for (var read = 0; read < codes.Count; read++)
        {
            var code = codes[read];
            var combiningClass = ClassOf(code);
            // A mark is blocked from its starter by one of the same or a higher class between them.
            if (starter >= 0 && lastClass < combiningClass && TryCompose(codes[starter], code, out var composed))
            {
                codes[starter] = composed;
                continue;
            }

            if (combiningClass == 0) (starter, lastClass) = (written, -1);
            else lastClass = combiningClass;
            codes[written++] = code;
        }

        codes.RemoveRange(written, codes.Count - written);
    }

    private bool TryCompose(int first, int second, out int composed)
    {
        var (l, v) = (first - HangulL, second - HangulV);
        if (l is >= 0 and < HangulLCount && v is >= 0 and < HangulVCount)
        {
            composed = HangulS + (l * HangulVCount + v) * HangulTCount;
            return true;
        }

        var (syllable, t) = (first - HangulS, second - HangulT);
        if (syllable is >= 0 and < HangulLCount * HangulVCount * HangulTCount && syllable % HangulTCount == 0
            && t is > 0 and < HangulTCount)
        {
            composed = first + t;
            return true;
        }

        return _compositions.TryGetValue((first, second), out composed);
    }

    private byte ClassOf(int code) => code < 0x300 ? (byte)0 : _classes.GetValueOrDefault(code);
}
