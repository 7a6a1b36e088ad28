using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>Where tags of which an image has one are written.</summary>
public enum TagPosition
{
    /// <summary>Not at all.</summary>
    Nowhere,

    /// <summary>Before the others.</summary>
    First,

    /// <summary>After the others.</summary>
    Last,
}

/// <summary>Which of the tags that a tagger scores are written, how they are spelled, and in which order: the options of sd-scripts'
/// <c>tag_images_by_wd14_tagger</c>.</summary>
/// <remarks>
/// Tags are spelled first: characters are expanded, underscores removed, tags replaced. <see cref="UndesiredTags"/> and
/// <see cref="FirstTags"/> mean tags as they are then.
/// The order is general tags, characters, series, artists, meta tags, models; within each, that of the tagger. No tag is written twice.
/// </remarks>
public sealed record TagSelection : OptionsBase
{
    private const int LongestFace = 3;

    /// <summary>The score that a tag needs where its category has no threshold of its own. Lower gives more tags. Default 0.35.
    /// (<c>thresh</c>)</summary>
    public float Threshold { get; init; } = 0.35f;

    /// <summary>The score that a general tag needs; null takes <see cref="Threshold"/>, above 1 leaves them all out.
    /// (<c>general_threshold</c>)</summary>
    public float? GeneralThreshold { get; init; }

    /// <summary>As <see cref="GeneralThreshold"/>, for characters. (<c>character_threshold</c>)</summary>
    public float? CharacterThreshold { get; init; }

    /// <summary>As <see cref="GeneralThreshold"/>, for series. (<c>copyright_threshold</c>)</summary>
    public float? CopyrightThreshold { get; init; }

    /// <summary>As <see cref="GeneralThreshold"/>, for artists. (<c>artist_threshold</c>)</summary>
    public float? ArtistThreshold { get; init; }

    /// <summary>As <see cref="GeneralThreshold"/>, for meta tags. (<c>meta_threshold</c>)</summary>
    public float? MetaThreshold { get; init; }

    /// <summary>As <see cref="GeneralThreshold"/>, for models. (<c>model_threshold</c>)</summary>
    public float? ModelThreshold { get; init; }

    /// <summary>Whether underscores become blanks in tags of more than 3 characters; <c>^_^</c> stays. (<c>remove_underscore</c>)</summary>
    public bool RemoveUnderscores { get; init; }

    /// <summary>Whether <c>name_(series)</c> becomes <c>name</c> and <c>series</c>, for characters. (<c>character_tag_expand</c>)</summary>
    public bool ExpandCharacters { get; init; }

    /// <summary>Tags that are written as others; <see cref="TagReplacements.Parse"/> reads sd-scripts' text of them.
    /// (<c>tag_replacement</c>)</summary>
    public IReadOnlyDictionary<string, string> Replacements { get; init; } = new Dictionary<string, string>();

    /// <summary>Tags that are not written. (<c>undesired_tags</c>)</summary>
    public IReadOnlyList<string> UndesiredTags { get; init; } = [];

    /// <summary>Where the likeliest rating is written. It needs no score. Default nowhere. (<c>use_rating_tags</c>,
    /// <c>use_rating_tags_as_last_tag</c>)</summary>
    public TagPosition Rating { get; init; }

    /// <summary>Where the likeliest quality is written, after the rating. It needs no score. Default nowhere. (<c>use_quality_tags</c>,
    /// <c>use_quality_tags_as_last_tag</c>)</summary>
    public TagPosition Quality { get; init; }

    /// <summary>Whether characters come before general tags. (<c>character_tags_first</c>)</summary>
    public bool CharactersFirst { get; init; }

    /// <summary>Tags that are moved to the very front where an image has them, in the order given here. (<c>always_first_tags</c>, which
    /// the reference reverses.)</summary>
    public IReadOnlyList<string> FirstTags { get; init; } = [];

    /// <summary>What stands between tags. Default a comma and a blank. (<c>caption_separator</c>)</summary>
    public string Separator { get; init; } = ", ";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        const string rule = "a threshold is a number from 0 up", remedy = "0.35 is customary, above 1 leaves all out";
        if (IsNone(Threshold)) yield return Problem(Threshold, rule, remedy);
        if (IsNone(GeneralThreshold)) yield return Problem(GeneralThreshold, rule, remedy);
        if (IsNone(CharacterThreshold)) yield return Problem(CharacterThreshold, rule, remedy);
        if (IsNone(CopyrightThreshold)) yield return Problem(CopyrightThreshold, rule, remedy);
        if (IsNone(ArtistThreshold)) yield return Problem(ArtistThreshold, rule, remedy);
        if (IsNone(MetaThreshold)) yield return Problem(MetaThreshold, rule, remedy);
        if (IsNone(ModelThreshold)) yield return Problem(ModelThreshold, rule, remedy);
        if (!Enum.IsDefined(Rating)) yield return Problem(Rating, "there is no such place", "use TagPosition.First");
        if (!Enum.IsDefined(Quality)) yield return Problem(Quality, "there is no such place", "use TagPosition.First");
        if (string.IsNullOrWhiteSpace(Separator) || Separator.AsSpan().ContainsAny('\r', '\n'))
            yield return Problem(Separator, "tags must be told apart, on one line", "a comma and a blank are customary");
        if (Replacements.FirstOrDefault(pair => string.IsNullOrWhiteSpace(pair.Value)) is { Key: { } source })
            yield return Problem(source, "it would be replaced by nothing", "put it into UndesiredTags instead", nameof(Replacements));

        static bool IsNone(float? threshold) => threshold is { } value && !(value >= 0 && float.IsFinite(value));
    }

    /// <summary>Chooses among the tags of one image.</summary>
    /// <param name="tags">The tags with their scores, in the order of the tagger.</param>
    /// <returns>The tags to write, in their order.</returns>
    /// <exception cref="ArgumentException">A score is no number.</exception>
    public IReadOnlyList<string> Apply(IReadOnlyList<ScoredTag> tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        if (tags.FirstOrDefault(tag => float.IsNaN(tag.Score)) is { Name: { } broken })
            throw new ArgumentException($"the score of \"{broken}\" is no number: the tagger is broken", nameof(tags));
        TagCategory[] order = CharactersFirst
            ? [TagCategory.Character, TagCategory.General, TagCategory.Copyright, TagCategory.Artist, TagCategory.Meta, TagCategory.Model]
            : [TagCategory.General, TagCategory.Character, TagCategory.Copyright, TagCategory.Artist, TagCategory.Meta, TagCategory.Model];
        var passed = order.SelectMany(category => tags.Where(tag => tag.Category == category && tag.Score >= ThresholdOf(category)));
        List<ScoredTag> before = [.. Best(tags, TagCategory.Rating, Rating, TagPosition.First),
            .. Best(tags, TagCategory.Quality, Quality, TagPosition.First)];
        List<ScoredTag> after = [.. Best(tags, TagCategory.Rating, Rating, TagPosition.Last),
            .. Best(tags, TagCategory.Quality, Quality, TagPosition.Last)];
        var undesired = UndesiredTags.ToHashSet(StringComparer.Ordinal);
        var written = before.Concat(passed).Concat(after).SelectMany(Spelled).Where(tag => !undesired.Contains(tag))
            .Distinct(StringComparer.Ordinal).ToList();
        var first = FirstTags.Where(written.Contains).Distinct(StringComparer.Ordinal).ToList();
        return first.Count == 0 ? written : [.. first, .. written.Where(tag => !first.Contains(tag))];
    }

    private float ThresholdOf(TagCategory category) => category switch
    {
        TagCategory.General => GeneralThreshold,
        TagCategory.Character => CharacterThreshold,
        TagCategory.Copyright => CopyrightThreshold,
        TagCategory.Artist => ArtistThreshold,
        TagCategory.Meta => MetaThreshold,
        TagCategory.Model => ModelThreshold,
        _ => null,
    } ?? Threshold;

    /// <summary>The likeliest tag of a category, the first of several, where it is wanted at this place.</summary>
    private static ScoredTag[] Best(IReadOnlyList<ScoredTag> tags, TagCategory category, TagPosition wanted, TagPosition place)
    {
        if (wanted != place) return [];
        ScoredTag? best = null;
        foreach (var tag in tags)
            if (tag.Category == category && !(tag.Score <= best?.Score)) best = tag;
        return best is { } found ? [found] : [];
    }

    private IEnumerable<string> Spelled(ScoredTag tag)
    {
        foreach (var part in tag.Category == TagCategory.Character && ExpandCharacters ? Expanded(tag.Name) : [tag.Name])
        {
            var spelled = RemoveUnderscores && tag.Name.Length > LongestFace ? part.Replace('_', ' ') : part;
            yield return Replacements.GetValueOrDefault(spelled, spelled);
        }
    }

    /// <summary><c>name_(costume)_(series)</c> becomes <c>name_(costume)</c> and <c>series</c>.</summary>
    private static string[] Expanded(string name)
    {
        var open = name.LastIndexOf('(');
        if (open < 1 || !name.EndsWith(')') || name.Length - open <= 2) return [name];
        var character = name[..open].TrimEnd('_', ' ');
        return character.Length == 0 ? [name] : [character, name[(open + 1)..^1]];
    }
}
