namespace StableTune.Preparation;

/// <summary>Tags of which a picture can have only one for each person: with several people they say nothing.</summary>
/// <param name="Endings">Words that end such a tag after one other word: "eyes" for "blue eyes".</param>
/// <param name="Tags">Such tags themselves.</param>
public sealed record TagGroup(IReadOnlyList<string> Endings, IReadOnlyList<string> Tags)
{
    /// <summary>Whether the tag belongs to the group.</summary>
    public bool Contains(string tag) =>
        Tags.Contains(tag) || Endings.Any(ending =>
        tag.EndsWith(" " + ending, StringComparison.Ordinal) && IsWord(tag.AsSpan(0, tag.Length - ending.Length - 1)));

    /// <summary>Whether this is one word: letters, digits, underscores and hyphens.</summary>
    internal static bool IsWord(ReadOnlySpan<char> text)
    {
        foreach (var unit in text)
            if (!char.IsLetterOrDigit(unit) && unit is not ('_' or '-')) return false;
        return text.Length > 0;
    }
}

/// <summary>What cleaning does to captions and tags; a host can give rules of its own.</summary>
public sealed record CleaningRules
{
    /// <summary>Texts in captions and what takes their place, one after the other, each until it no longer occurs.</summary>
    public IReadOnlyList<(string From, string To)> Replacements { get; init; } = [];

    /// <summary>Whether replacements act on whole words only. Default true. The reference also replaces inside words: "ladybug" becomes
    /// "girlbug".</summary>
    public bool WholeWords { get; init; } = true;

    /// <summary>A list of tags that has one of these texts anywhere shows several people.</summary>
    public IReadOnlyList<string> SeveralPeople { get; init; } = [];

    /// <summary>In pictures of several people, the tags of a group are left out where there are more than one. The groups act in this
    /// order.</summary>
    public IReadOnlyList<TagGroup> Groups { get; init; } = [];

    /// <summary>As <see cref="Groups"/>, after them, but the first tag of <see cref="Protected"/> stays.</summary>
    public TagGroup? LastGroup { get; init; }

    /// <summary>See <see cref="LastGroup"/>.</summary>
    public TagGroup? Protected { get; init; }

    /// <summary>Tags are cut off at the first one, but the very first, that begins so; null cuts nothing.</summary>
    public string? CutAt { get; init; }

    /// <summary>Tags of several words that count as one when a longer tag makes them superfluous.</summary>
    public IReadOnlyList<string> Phrases { get; init; } = [];

    /// <summary>Tags in which underscores are no blanks.</summary>
    public IReadOnlyList<string> Faces { get; init; } = [];

    /// <summary>The rules of sd-scripts' <c>clean_captions_and_tags</c>, for captions of BLIP and tags of DeepDanbooru on anime
    /// pictures.</summary>
    public static CleaningRules Anime { get; } = new()
    {
        Replacements =
        [
            ("anime anime", "anime"), ("young ", ""),
            ("anime girl", "girl"), ("cartoon female", "girl"), ("cartoon lady", "girl"), ("cartoon character", "girl"),
                ("cartoon woman", "girl"),
            ("cartoon women", "girls"), ("cartoon girl", "girl"),
            ("anime female", "girl"), ("anime lady", "girl"), ("anime character", "girl"), ("anime woman", "girl"),
                ("anime women", "girls"),
            ("lady", "girl"), ("female", "girl"), ("woman", "girl"), ("women", "girls"), ("people", "girls"), ("person", "girl"),
            ("a cartoon figure", "a figure"), ("a cartoon image", "an image"), ("a cartoon picture", "a picture"),
                ("an anime cartoon image", "an image"),
            ("a cartoon anime drawing", "a drawing"), ("a cartoon drawing", "a drawing"), ("girl girl", "girl"),
        ],
        SeveralPeople = ["girls", "boys"],
        Groups =
        [
            new([], ["long hair", "short hair", "medium hair"]),
            new([], ["bob cut", "hime cut"]),
            new(["eyes"], []),
            new(["sleeves"], ["sleeveless"]),
            new(["bun", "braid"], ["ponytail", "braid", "ahoge", "twintails", "single hair bun", "single side bun", "two side up",
                "two tails", "sidelocks"]),
        ],
        LastGroup = new(["hair"], []),
        Protected = new([], ["long hair", "short hair", "medium hair"]),
        CutAt = "rating",
        Phrases = ["hair ornament"],
        Faces = ["^_^"],
    };
}
