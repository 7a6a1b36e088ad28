using System.Globalization;
using System.Text;
using System.Text.Json;

namespace StableTune.Preparation;

/// <summary>A tag that a tagger knows.</summary>
/// <param name="Name">The tag.</param>
/// <param name="Category">What it speaks of.</param>
/// <param name="Count">How many images had it where the tagger was trained; null where the file does not say.</param>
public sealed record KnownTag(string Name, TagCategory Category, long? Count = null);

/// <summary>The tags that a tagger knows, in the order of its outputs: <c>selected_tags.csv</c> of the WD14 taggers.</summary>
public sealed class TagVocabulary
{
    private const long LargestFile = 64 << 20;
    private const string Remedy = "Take the table or list of tags that belongs to the tagger.";

    /// <summary>A vocabulary of these tags.</summary>
    /// <param name="tags">The tags, in the order of the tagger's outputs; at least one.</param>
    /// <exception cref="ArgumentException">There are none.</exception>
    public TagVocabulary(IReadOnlyList<KnownTag> tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        if (tags.Count == 0) throw new ArgumentException("a vocabulary has at least one tag", nameof(tags));
        Tags = tags;
    }

    /// <summary>The tags, in the order of the tagger's outputs.</summary>
    public IReadOnlyList<KnownTag> Tags { get; }

    /// <summary>Reads a CSV file whose first line names the columns: <c>name</c> and <c>category</c>, and <c>count</c> where it is known;
    /// others do not matter.</summary>
    /// <param name="path">The file, UTF-8, of at most 64 MiB.</param>
    /// <exception cref="InvalidFileException">It is missing, too large, not UTF-8, or not such a table; the message names the
    /// line.</exception>
    public static TagVocabulary Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var lines = Text(path).Split('\n');
        var columns = Fields(path, lines[0].TrimEnd('\r'), 1);
        var (name, category, count) = (columns.IndexOf("name"), columns.IndexOf("category"), columns.IndexOf("count"));
        if (name < 0 || category < 0)
            throw new InvalidFileException(
                path, $"its first line names no columns \"name\" and \"category\", but \"{ShortText.Of(lines[0].TrimEnd('\r'), 40)}\".",
                Remedy);
        var tags = new List<KnownTag>(lines.Length);
        for (var i = 1; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd('\r');
            if (line.Length == 0) continue;
            var fields = Fields(path, line, i + 1);
            if (fields.Count != columns.Count)
                throw new InvalidFileException(path, $"line {i + 1} has {fields.Count} columns, the first line {columns.Count}.", Remedy);
            tags.Add(Tag(path, $"line {i + 1}", fields[name], fields[category], count < 0 ? null : fields[count]));
        }

        return tags.Count > 0 ? new(tags) : throw new InvalidFileException(path, "it lists no tags.", Remedy);
    }

    /// <summary>Reads a list of one tag a line: <c>tags.txt</c> of DeepDanbooru.</summary>
    /// <param name="path">The file, UTF-8, of at most 64 MiB; empty lines do not count.</param>
    /// <param name="characters">A list of those of them that are characters (<c>tags-character.txt</c>). With it, tags that begin with
    /// <c>rating:</c> are ratings. Null, the default, takes every tag for a general one.</param>
    /// <exception cref="InvalidFileException">A list is missing, empty, too large or not UTF-8.</exception>
    public static TagVocabulary LoadList(string path, string? characters = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var known = characters is null ? null : Lines(characters).ToHashSet(StringComparer.Ordinal);
        var tags = Lines(path).Select(tag => new KnownTag(tag, Category(tag))).ToList();
        return tags.Count > 0 ? new(tags) : throw new InvalidFileException(path, "it lists no tags.",
            "Take the list of tags that belongs to the tagger, one tag a line.");

        TagCategory Category(string tag) => known is null ? TagCategory.General
            : tag.StartsWith("rating:", StringComparison.Ordinal) ? TagCategory.Rating
            : known.Contains(tag) ? TagCategory.Character : TagCategory.General;
    }

    /// <summary>Reads a JSON object that has for each output of a tagger its tag and what it speaks of: <c>tag_mapping.json</c> of newer
    /// taggers, as <c>{"0": {"tag": "1girl", "category": "General"}, ...}</c> or as the two objects <c>idx_to_tag</c> and
    /// <c>tag_to_category</c>.</summary>
    /// <param name="path">The file, UTF-8, of at most 64 MiB.</param>
    /// <exception cref="InvalidFileException">It is missing, too large, not UTF-8, or not such a table; the message names the
    /// tag.</exception>
    public static TagVocabulary LoadMapping(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var tags = new List<KnownTag>();
        try
        {
            using var document = JsonDocument.Parse(Text(path));
            var all = document.RootElement;
            var split = all.TryGetProperty("idx_to_tag", out var names);
            if (split) all = names;
            var count = all.EnumerateObject().Count();
            for (var i = 0; i < count; i++)
            {
                var number = i.ToString(CultureInfo.InvariantCulture);
                if (!all.TryGetProperty(number, out var entry))
                    throw new InvalidFileException(path, $"it has {count} tags, but none with the number {number}.", Remedy);
                var name = (split ? entry : entry.GetProperty("tag")).GetString() ?? "";
                var category = split ? document.RootElement.GetProperty("tag_to_category").GetProperty(name)
                    : entry.GetProperty("category");
                tags.Add(Tag(path, $"tag {number}", name, category.GetString() ?? "", null));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidFileException(path, $"it is no table of tags: {e.Message.TrimEnd('.')}.", Remedy, e);
        }

        return tags.Count > 0 ? new(tags) : throw new InvalidFileException(path, "it lists no tags.", Remedy);
    }

    private static IEnumerable<string> Lines(string path) =>
        Text(path).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The tags with what the tagger says of an image.</summary>
    /// <param name="scores">The tagger's outputs as probabilities, [tags].</param>
    /// <returns>All tags, in the order of the outputs.</returns>
    /// <exception cref="ArgumentException">There are not as many scores as tags.</exception>
    public IReadOnlyList<ScoredTag> Scored(ReadOnlySpan<float> scores)
    {
        if (scores.Length != Tags.Count)
            throw new ArgumentException(
            $"the tagger gave {scores.Length} scores, but the vocabulary has {Tags.Count} tags: they do not belong together",
            nameof(scores));
        var scored = new ScoredTag[scores.Length];
        for (var i = 0; i < scored.Length; i++) scored[i] = new(Tags[i].Name, scores[i], Tags[i].Category);
        return scored;
    }

    private static string Text(string path)
    {
        if (!File.Exists(path))
            throw new InvalidFileException(
            path, Directory.Exists(path) ? "this is a folder, not a table of tags." : "the table of tags is missing.", Remedy);
        if (new FileInfo(path).Length is > LargestFile and var length)
            throw new InvalidFileException(path, $"a table of tags has at most {LargestFile} bytes, this file {length}.", Remedy);
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, $"the table of tags is not UTF-8 (byte {e.Index}).", Remedy, e);
        }
    }

    private static KnownTag Tag(string path, string place, string name, string category, string? count)
    {
        if (string.IsNullOrWhiteSpace(name)) throw new InvalidFileException(path, $"{place} has no tag.", Remedy);
        if (!Enum.TryParse<TagCategory>(category, ignoreCase: true, out var known) || !Enum.IsDefined(known))
            throw new InvalidFileException(
                path, $"{place}: the category \"{ShortText.Of(category, 40)}\" is not known; there are "
                    + $"{string.Join(", ", Enum.GetValues<TagCategory>().Select(value => $"{(int)value} ({value})"))}.", Remedy);
        if (count is null) return new(name, known);
        return long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var images) ? new(name, known, images)
            : throw new InvalidFileException(path, $"{place}: the count \"{ShortText.Of(count, 40)}\" is no number.", Remedy);
    }

    /// <summary>The fields of a line; quotes may enclose one, and are doubled inside it.</summary>
    private static List<string> Fields(string path, string line, int number)
    {
        var (fields, field, quoted) = (new List<string>(), new StringBuilder(), false);
        for (var i = 0; i < line.Length; i++)
        {
            var sign = line[i];
            if (quoted && sign == '"' && i + 1 < line.Length && line[i + 1] == '"') field.Append(line[i++]);
            else if (sign == '"' && (quoted || field.Length == 0)) quoted = !quoted;
            else if (sign == ',' && !quoted) Finish();
            else field.Append(sign);
        }

        if (quoted) throw new InvalidFileException(path, $"line {number} begins a quoted tag that does not end.", Remedy);
        Finish();
        return fields;

        void Finish()
        {
            fields.Add(field.ToString());
            field.Clear();
        }
    }
}
