namespace StableTune.Preparation.Tests.Preparation.Describing;

/// <summary>From scores to the tags that are written.</summary>
public sealed class TagSelectionTests
{
    private static readonly ScoredTag[] s_tags =
    [
        new("general", 0.6f, TagCategory.Rating), new("sensitive", 0.7f, TagCategory.Rating), new("explicit", 0.7f, TagCategory.Rating),
        new("1girl", 0.99f), new("solo", 0.35f), new("long_hair", 0.8f), new("^_^", 0.5f), new("smile", 0.34f),
        new("alice_(summer)_(wonderland)", 0.9f, TagCategory.Character), new("hatter_(wonderland)", 0.4f, TagCategory.Character),
        new("best_quality", 0.2f, TagCategory.Quality), new("bad_quality", 0.1f, TagCategory.Quality),
        new("carroll", 0.5f, TagCategory.Artist), new("wonderland", 0.5f, TagCategory.Copyright), new("highres", 0.9f, TagCategory.Meta),
            new("sdxl", 0.9f, TagCategory.Model),
    ];

    private static string Text(TagSelection selection) => string.Join(selection.Separator, selection.Apply(s_tags));

    private static readonly TagSelection s_few = new() { ArtistThreshold = 2, CopyrightThreshold = 2, MetaThreshold = 2,
        ModelThreshold = 2 };

    [Fact]
    public void Apply_ByDefault_WritesGeneralTagsThenCharactersThenOthers()
        => Assert.Equal(
            "1girl, solo, long_hair, ^_^, alice_(summer)_(wonderland), hatter_(wonderland), wonderland, carroll, highres, sdxl",
            Text(new()));

    [Fact]
    public void Apply_Thresholds_AreThoseOfTheCategory()
    {
        Assert.Equal("1girl, long_hair, alice_(summer)_(wonderland), highres, sdxl", Text(new() { Threshold = 0.75f }));
        Assert.Equal("1girl, alice_(summer)_(wonderland), hatter_(wonderland)", Text(s_few with { GeneralThreshold = 0.9f }));
        Assert.Equal("1girl, solo, long_hair, ^_^, alice_(summer)_(wonderland)", Text(s_few with { CharacterThreshold = 0.5f }));
        Assert.Equal("wonderland", Text(s_few with { Threshold = 1.1f, CopyrightThreshold = 0.5f }));
        Assert.Equal("carroll", Text(s_few with { Threshold = 1.1f, ArtistThreshold = 0.5f }));
        Assert.Equal("highres", Text(s_few with { Threshold = 1.1f, MetaThreshold = 0.5f }));
        Assert.Equal("sdxl", Text(s_few with { Threshold = 1.1f, ModelThreshold = 0.5f }));
    }

    [Fact]
    public void Apply_RemovingUnderscores_LeavesFaces()
        => Assert.Equal("1girl, solo, long hair, ^_^, alice (summer) (wonderland), hatter (wonderland)",
            Text(s_few with { RemoveUnderscores = true }));

    [Fact]
    public void Apply_ExpandingCharacters_WritesTheSeriesOnce()
    {
        Assert.Equal("1girl, solo, long_hair, ^_^, alice_(summer), wonderland, hatter", Text(s_few with { ExpandCharacters = true }));
        Assert.Equal("1girl, solo, long hair, ^_^, alice (summer), wonderland, hatter",
            Text(s_few with { ExpandCharacters = true, RemoveUnderscores = true }));
    }

    [Theory]
    [InlineData("(wonderland)")]
    [InlineData("_(wonderland)")]
    [InlineData("alice_()")]
    [InlineData("alice_(wonderland")]
    [InlineData("alice)")]
    public void Apply_ExpandingWhatIsNoNameAndSeries_LeavesIt(string name)
        => Assert.Equal([name], new TagSelection { ExpandCharacters = true }.Apply([new(name, 1, TagCategory.Character)]));

    [Theory]
    [InlineData(TagPosition.First, TagPosition.Nowhere, "sensitive, 1girl")]
    [InlineData(TagPosition.Last, TagPosition.Nowhere, "1girl, sensitive")]
    [InlineData(TagPosition.First, TagPosition.First, "sensitive, best_quality, 1girl")]
    [InlineData(TagPosition.Last, TagPosition.Last, "1girl, sensitive, best_quality")]
    [InlineData(TagPosition.Last, TagPosition.First, "best_quality, 1girl, sensitive")]
    public void Apply_RatingAndQuality_AreTheLikeliest(TagPosition rating, TagPosition quality, string text)
        => Assert.Equal(text, Text(s_few with { GeneralThreshold = 0.9f, CharacterThreshold = 2, Rating = rating, Quality = quality }));

    [Fact]
    public void Apply_UndesiredTags_AreMeantAsTheyAreSpelled()
    {
        var selection = s_few with { RemoveUnderscores = true, UndesiredTags = ["long hair", "sensitive", "alice_(summer)_(wonderland)"],
            Rating = TagPosition.First };
        Assert.Equal("1girl, solo, ^_^, alice (summer) (wonderland), hatter (wonderland)", Text(selection));
    }

    [Fact]
    public void Apply_Order_PutsCharactersAndTheFirstTagsInFront()
    {
        var selection = s_few with { CharactersFirst = true, ExpandCharacters = true, Rating = TagPosition.First,
            FirstTags = ["solo", "dog", "1girl", "solo"] };
        Assert.Equal("solo, 1girl, sensitive, alice_(summer), wonderland, hatter, long_hair, ^_^", Text(selection));
    }

    [Fact]
    public void Apply_Replacements_AreOfWholeTagsAfterSpelling_AndNotChained()
    {
        var selection = s_few with { CharacterThreshold = 2, RemoveUnderscores = true,
            Replacements = TagReplacements.Parse("long hair,hair; solo,1girl;1girl,woman;gir,boy"), Separator = "|" };
        Assert.Equal("woman|1girl|hair|^_^", Text(selection));
    }

    [Fact]
    public void Parse_WithEscapes_KeepsTheSigns()
    {
        var read = TagReplacements.Parse(@"a\,b , c\;d; \m/,horns;");
        Assert.Equal(new Dictionary<string, string> { ["a,b"] = "c;d", [@"\m/"] = "horns" }, read);
        Assert.Empty(TagReplacements.Parse(" "));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a,b,c")]
    [InlineData("a,")]
    [InlineData(",b")]
    [InlineData("a,b;a,c")]
    [InlineData(@"a\,b")]
    public void Parse_OfWhatIsNoPair_IsRefused(string text) => Assert.Throws<FormatException>(() => TagReplacements.Parse(text));

    [Fact]
    public void Apply_WithAScoreThatIsNoNumber_IsRefused()
        => Assert.Contains("\"solo\"", Assert.Throws<ArgumentException>(() =>
            new TagSelection().Apply([new("1girl", 1), new("solo", float.NaN)])).Message, StringComparison.Ordinal);

    [Fact]
    public void Validate_ListsWhatCannotBe()
    {
        var wrong = new TagSelection
        {
            Threshold = -1, GeneralThreshold = float.NaN, CharacterThreshold = -1, CopyrightThreshold = -1, ArtistThreshold = -1,
            MetaThreshold = -1, ModelThreshold = float.PositiveInfinity,
            Rating = (TagPosition)7, Quality = (TagPosition)8, Separator = " \n", Replacements = new Dictionary<string,
                string> { ["a"] = " " },
        };
        Assert.Equal(
            ["Threshold", "GeneralThreshold", "CharacterThreshold", "CopyrightThreshold", "ArtistThreshold", "MetaThreshold",
                "ModelThreshold", "Rating", "Quality", "Separator", "Replacements"],
            wrong.Validate().Select(problem => problem.Option.Split('.')[^1]));
        Assert.Empty(new TagSelection { Threshold = 0, GeneralThreshold = 1.5f }.Validate());
    }
}
