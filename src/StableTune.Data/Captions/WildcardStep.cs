using System.Text.RegularExpressions;

namespace StableTune.Data;

/// <summary>Takes a random line, and in it replaces each <c>{a|b|c}</c> by one of its parts.</summary>
/// <remarks>As in sd-scripts, <c>}}</c> is protected before the choices are looked for, so that of <c>{{{a|b}}}</c> the inner brace is
/// cut: "{a" or "{b}".</remarks>
internal sealed partial class WildcardStep : ICaptionStep
{
    // Stand-ins for protected braces: Unicode noncharacters, which no text holds.
    private const string Open = "\uFDD0", Close = "\uFDD1";

    public VaryingOption? VariesBecauseOf { get; } = new("CaptionOptions.Wildcard", true);

    public string Apply(string caption, in CaptionUse use)
    {
        var random = use.Random;
        var line = Pick(caption.Split('\n'), random);
        line = line.Replace("{{", Open, StringComparison.Ordinal).Replace("}}", Close, StringComparison.Ordinal);
        line = Choice().Replace(line, match => Pick(match.Groups[1].Value.Split('|'), random));
        return line.Replace(Open, "{", StringComparison.Ordinal).Replace(Close, "}", StringComparison.Ordinal);
    }

    private static string Pick(string[] parts, RandomStream random) => parts[random.Next(parts.Length)];

    [GeneratedRegex(@"\{([^}]+)\}")]
    private static partial Regex Choice();
}
