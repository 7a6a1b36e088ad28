using System.Text.RegularExpressions;
using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>
/// Makes captions and tags uniform by rules; sd-scripts' <c>clean_captions_and_tags</c> with <see cref="CleaningRules.Anime"/>.
/// </summary>
public static class CaptionCleaning
{
    private const string Separator = ", ";

    /// <summary>Cleans a whole metadata file.</summary>
    /// <param name="input">The file to read.</param>
    /// <param name="output">The file to write; may be the same.</param>
    /// <param name="rules">What to do.</param>
    /// <param name="overwrite">Whether an output that is there and is not the input is written over.</param>
    /// <returns>The number of images.</returns>
    /// <exception cref="InvalidOptionsException">The output is there already, or cannot be written.</exception>
    /// <exception cref="InvalidFileException">The input is missing or broken.</exception>
    public static PreparationReport Run(string input, string output, CleaningRules rules, bool overwrite = false)
    {
        ArgumentNullException.ThrowIfNull(rules);
        InvalidOptionsException.ThrowIfAny(MetadataFile.OfOutput(nameof(output), output, input, overwrite));
        var images = MetadataFile.Load(input);
        foreach (var (key, image) in images.ToList())
            images[key] = image with
            {
                Caption = image.Caption is null ? null : Caption(image.Caption, rules),
                Tags = image.Tags is null ? null : Tags(image.Tags, rules),
            };
        MetadataFile.Save(output, images);
        return new PreparationReport(images.Count, []);
    }

    /// <summary>A cleaned caption.</summary>
    public static string Caption(string caption, CleaningRules rules)
    {
        ArgumentNullException.ThrowIfNull(caption);
        ArgumentNullException.ThrowIfNull(rules);
        foreach (var (from, to) in rules.Replacements)
        {
            // A text that takes the place of itself and more ends with the length, not with the occurrences.
            for (var before = ""; before != caption && caption.Length > 0;)
            {
                before = caption;
                caption = rules.WholeWords ? ReplaceWords(caption, from, to) : caption.Replace(from, to, StringComparison.Ordinal);
                if (to.Contains(from, StringComparison.Ordinal)) break;
            }
        }

        return caption;
    }

    /// <summary>Cleaned tags.</summary>
    /// <param name="tags">Tags joined with ", "; other separators are part of a tag.</param>
    /// <param name="rules">What to do.</param>
    public static string Tags(string tags, CleaningRules rules)
    {
        ArgumentNullException.ThrowIfNull(tags);
        ArgumentNullException.ThrowIfNull(rules);
        var list = WithBlanks(tags, rules.Faces).Split(Separator).ToList();
        if (rules.CutAt is { } mark && list.FindIndex(1, tag => tag.StartsWith(mark, StringComparison.Ordinal)) is > 0 and var end)
            list.RemoveRange(end, list.Count - end);
        if (rules.SeveralPeople.Any(word => list.Any(tag => tag.Contains(word, StringComparison.Ordinal))))
            RemoveContradictions(list, rules);
        RemoveSuperfluous(list, rules.Phrases);
        return string.Join(Separator, list);
    }

    private static string WithBlanks(string tags, IReadOnlyList<string> faces)
    {
        var kept = tags;
        for (var i = 0; i < faces.Count; i++) kept = kept.Replace(faces[i], Stand(i), StringComparison.Ordinal);
        kept = kept.Replace('_', ' ');
        for (var i = 0; i < faces.Count; i++) kept = kept.Replace(Stand(i), faces[i], StringComparison.Ordinal);
        return kept;

        static string Stand(int index) => $"\0{index}\0";
    }

    private static void RemoveContradictions(List<string> tags, CleaningRules rules)
    {
        foreach (var group in rules.Groups)
            if (tags.Count(group.Contains) > 1) tags.RemoveAll(group.Contains);
        if (rules.LastGroup is not { } last) return;
        var protectedAt = rules.Protected is { } guard ? tags.FindIndex(guard.Contains) : -1;
        var others = tags.Where((tag, place) => place != protectedAt && last.Contains(tag)).Count();
        if (others <= 1) return;
        for (var i = tags.Count - 1; i >= 0; i--)
            if (i != protectedAt && last.Contains(tags[i])) tags.RemoveAt(i);
    }

    /// <summary>"white shirt" says all that "shirt" says.</summary>
    private static void RemoveSuperfluous(List<string> tags, IReadOnlyList<string> phrases)
    {
        var all = tags.ToHashSet(StringComparer.Ordinal);
        tags.RemoveAll(tag => (TagGroup.IsWord(tag) || phrases.Contains(tag))
            && all.Any(other => other.Length > tag.Length + 1 && other.EndsWith(" " + tag, StringComparison.Ordinal)));
    }

    private static string ReplaceWords(string caption, string from, string to)
    {
        var (lead, trail) = (char.IsLetterOrDigit(from[0]) ? @"\b" : "", char.IsLetterOrDigit(from[^1]) ? @"\b" : "");
        return Regex.Replace(caption, lead + Regex.Escape(from) + trail, _ => to, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
    }
}
