using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Vocabularies that are learnt from texts.</summary>
public class LearnedVocabularyTests
{
    private static readonly string[] s_captions = ["a low tower", "the lowest tower", "Low, lower and lowest", "two towers: a newer one"];

    [Fact]
    public void Learn_TakesTheMostFrequentPairFirst_AndOfEqualsTheFirstInOrder()
    {
        // "ab" 3 times, "abc" twice: a+b is seen twice (in "abc"), a+b</w> three times, b+c</w> twice.
        var learned = ClipVocabulary.Learn(["ab abc ab", "abc", "ab"], mergeCount: 10);
        Assert.Equal(["a b</w>", "a b", "ab c</w>"], learned.Merges);
        Assert.Equal((512, 513, 514), (learned.Ids["ab</w>"], learned.Ids["ab"], learned.Ids["abc</w>"]));
        Assert.Equal((515, 516), (learned.Ids[ClipVocabulary.StartToken], learned.Ids[ClipVocabulary.EndToken]));
        Assert.Equal(517, learned.Ids.Count);
    }

    [Fact]
    public void Learn_WithMergesEnough_MakesEachWordOneToken_AndStops()
    {
        var learned = ClipVocabulary.Learn(s_captions, mergeCount: 1000);
        Assert.InRange(learned.Merges.Count, 10, 60);
        var tokenizer = new ClipTokenizer(learned);
        Assert.Equal(3, tokenizer.EncodeBody("a low tower").Count);
        Assert.Equal(3, tokenizer.EncodeBody("LOWEST newer towers").Count);
        // Words that were never seen are still encoded, in pieces.
        Assert.InRange(tokenizer.EncodeBody("slow ⚓").Count, 4, 7);
        Assert.DoesNotContain(tokenizer.EndId, tokenizer.EncodeBody("slow ⚓"));
    }

    [Fact]
    public void Learn_FewerMerges_AreTheFirstOfMore_AndTheOrderOfTextsDoesNotMatter()
    {
        var all = ClipVocabulary.Learn(s_captions, mergeCount: 1000);
        Assert.Equal(all.Merges.Take(7), ClipVocabulary.Learn(s_captions.Reverse(), mergeCount: 7).Merges);
        Assert.Empty(ClipVocabulary.Learn(s_captions, mergeCount: 0).Merges);
        Assert.Empty(ClipVocabulary.Learn(["", "  "], mergeCount: 5).Merges);
    }

    [Fact]
    public void Learn_IsWritten_AndReadAgain()
    {
        using var folder = new TemporaryFolder();
        var learned = ClipVocabulary.Learn(s_captions, mergeCount: 20);
        learned.Write(folder.Path);
        var read = ClipVocabulary.FromFolder(folder.Path);
        Assert.Equal(learned.Merges, read.Merges);
        Assert.Equal(learned.Ids.OrderBy(entry => entry.Value), read.Ids.OrderBy(entry => entry.Value));
        Assert.Equal(new ClipTokenizer(learned).Encode("the newest lower tower"), new ClipTokenizer(read).Encode("the newest lower tower"));
    }

    [Fact]
    public void Learn_AWordRepeated_MergesFromTheLeft()
    {
        var learned = ClipVocabulary.Learn(["aaaa"], mergeCount: 10);
        var tokenizer = new ClipTokenizer(learned);
        Assert.Single(tokenizer.EncodeBody("aaaa"));
        Assert.Equal("a a", learned.Merges[0]);
    }

    [Fact]
    public void Learn_NumbersThatCannotBe_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ClipVocabulary.Learn(s_captions, mergeCount: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClipVocabulary.Learn(s_captions, ClipVocabulary.FullMergeCount + 1));
        Assert.Throws<ArgumentNullException>(() => ClipVocabulary.Learn(null!, 5));
    }
}
