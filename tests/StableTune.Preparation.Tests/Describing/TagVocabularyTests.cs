using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing;

public sealed class TagVocabularyTests : IDisposable
{
    private const string Head = "tag_id,name,category,count\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string text)
    {
        File.WriteAllText(_folder.File("selected_tags.csv"), text);
        return _folder.File("selected_tags.csv");
    }

    [Fact]
    public void Load_GivesTheTagsInOrder()
    {
        var vocabulary = TagVocabulary.Load(Write("\uFEFF" + Head.Replace("\n", "\r\n", StringComparison.Ordinal)
            + "9999999,general,9,807858\r\n470575,1girl,0,4225150\r\n1,\"a,b\",0,5\r\n2,\"say \"\"hi\"\"\",4,6\r\n3,:\"),general,7"));
        Assert.Equal(
            [new("general", TagCategory.Rating, 807858), new("1girl", TagCategory.General, 4225150), new("a,b", TagCategory.General, 5),
                new("say \"hi\"", TagCategory.Character, 6), new KnownTag(":\")", TagCategory.General, 7)],
            vocabulary.Tags);
        Assert.Equal(new ScoredTag("1girl", 0.5f), vocabulary.Scored([0, 0.5f, 0, 0, 0])[1]);
        Assert.Throws<ArgumentException>(() => vocabulary.Scored([1, 2]));
        Assert.Equal([new KnownTag("cat", TagCategory.Artist)], TagVocabulary.Load(Write("category,name\n1,cat\n\n")).Tags);
    }

    [Theory]
    [InlineData("", "names no columns")]
    [InlineData("1girl,0\n", "names no columns")]
    [InlineData(Head, "lists no tags")]
    [InlineData(Head + "1,1girl,0\n", "line 2 has 3 columns, the first line 4")]
    [InlineData(Head + "1,1girl,0,5\n2,a,b,0,5\n", "line 3 has 5 columns")]
    [InlineData(Head + "1,1girl,7,5\n", "line 2: the category \"7\" is not known")]
    [InlineData(Head + "1,1girl,,5\n", "line 2: the category \"\" is not known")]
    [InlineData(Head + "1,1girl,0,many\n", "line 2: the count \"many\" is no number")]
    [InlineData(Head + "1, ,0,5\n", "line 2 has no tag")]
    [InlineData(Head + "1,\"1girl,0,5\n", "line 2 begins a quoted tag that does not end")]
    public void Load_OfWhatIsNoTableOfTags_NamesTheLine(string text, string fault)
    {
        var error = Assert.Throws<InvalidFileException>(() => TagVocabulary.Load(Write(text)));
        Assert.Contains(fault, error.Fault, StringComparison.Ordinal);
        Assert.Equal(_folder.File("selected_tags.csv"), error.Path);
    }

    [Fact]
    public void LoadList_GivesGeneralTags_OrCategoriesWithCharacters()
    {
        File.WriteAllText(_folder.File("tags.txt"), "\uFEFF1girl\r\n\nalice_(w)\nrating:safe\n");
        File.WriteAllText(_folder.File("characters.txt"), "alice_(w)\n");
        Assert.Equal([new("1girl", TagCategory.General), new("alice_(w)", TagCategory.General),
            new KnownTag("rating:safe", TagCategory.General)], TagVocabulary.LoadList(_folder.File("tags.txt")).Tags);
        Assert.Equal([TagCategory.General, TagCategory.Character, TagCategory.Rating],
            TagVocabulary.LoadList(_folder.File("tags.txt"), _folder.File("characters.txt")).Tags.Select(tag => tag.Category));
        File.WriteAllText(_folder.File("empty.txt"), " \n\n");
        Assert.Contains("lists no tags", Assert.Throws<InvalidFileException>(() => TagVocabulary.LoadList(_folder.File("empty.txt"))).Fault,
            StringComparison.Ordinal);
        Assert.Contains("missing", Assert.Throws<InvalidFileException>(() => TagVocabulary.LoadList(_folder.File("none.txt"))).Fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void LoadMapping_ReadsBothForms()
    {
        KnownTag[] expected = [new("general", TagCategory.Rating), new("best", TagCategory.Quality), new("alice", TagCategory.Character)];
        Assert.Equal(expected, Mapping("""
            {"1": {"tag": "best", "category": "Quality"}, "0": {"tag": "general", "category": "Rating"},
             "2": {"tag": "alice", "category": "character"}}
            """).Tags);
        Assert.Equal(expected, Mapping("""
            {"idx_to_tag": {"0": "general", "1": "best", "2": "alice"},
             "tag_to_category": {"alice": "Character", "best": "Quality", "general": "Rating"}}
            """).Tags);
    }

    [Theory]
    [InlineData("", "no table of tags")]
    [InlineData("[]", "no table of tags")]
    [InlineData("{}", "lists no tags")]
    [InlineData("""{"0": "cat"}""", "no table of tags")]
    [InlineData("""{"0": {"tag": "cat"}}""", "no table of tags")]
    [InlineData("""{"1": {"tag": "cat", "category": "General"}}""", "none with the number 0")]
    [InlineData("""{"0": {"tag": "cat", "category": "Animal"}}""", "tag 0: the category \"Animal\" is not known")]
    [InlineData("""{"0": {"tag": "", "category": "General"}}""", "tag 0 has no tag")]
    [InlineData("""{"idx_to_tag": {"0": "cat"}}""", "no table of tags")]
    public void LoadMapping_OfWhatIsNone_SaysWhy(string text, string fault) =>
        Assert.Contains(fault, Assert.Throws<InvalidFileException>(() => Mapping(text)).Fault, StringComparison.Ordinal);

    private TagVocabulary Mapping(string text)
    {
        File.WriteAllText(_folder.File("tag_mapping.json"), text);
        return TagVocabulary.LoadMapping(_folder.File("tag_mapping.json"));
    }

    [Fact]
    public void Load_OfNoTextFile_SaysWhatItIs()
    {
        Assert.Contains("missing", Assert.Throws<InvalidFileException>(() => TagVocabulary.Load(_folder.File("none.csv"))).Fault,
            StringComparison.Ordinal);
        Assert.Contains("folder", Assert.Throws<InvalidFileException>(() => TagVocabulary.Load(_folder.Path)).Fault,
            StringComparison.Ordinal);
        File.WriteAllBytes(_folder.File("bytes.csv"), [.. "name,category\n"u8, 0xFF, 0xFE]);
        Assert.Contains("not UTF-8 (byte 14)",
            Assert.Throws<InvalidFileException>(() => TagVocabulary.Load(_folder.File("bytes.csv"))).Fault, StringComparison.Ordinal);
        using (var large = File.Create(_folder.File("large.csv"))) large.SetLength((64 << 20) + 1);
        Assert.Contains("at most 67108864 bytes",
            Assert.Throws<InvalidFileException>(() => TagVocabulary.Load(_folder.File("large.csv"))).Fault, StringComparison.Ordinal);
    }
}
