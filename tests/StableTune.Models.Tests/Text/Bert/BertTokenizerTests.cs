using System.Text;

namespace StableTune.Models.Tests;

public class BertTokenizerTests
{
    // The vocabulary of the test that BERT was published with, and the padding and mask it leaves out.
    private static readonly BertTokenizer Published =
        TinyVocabularies.Bert(["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ",", "[PAD]", "[MASK]"]);

    [Fact]
    public void EncodeBody_PublishedExample_GivesThePublishedIds() =>
        Assert.Equal([7, 4, 5, 10, 8, 9], Published.EncodeBody("UNwant\u00E9d,running"));

    [Fact]
    public void EncodeBody_PublishedWordPieces_AreThese()
    {
        Assert.Empty(Published.EncodeBody(""));
        Assert.Equal(["un", "##want", "##ed", "runn", "##ing"], Published.Tokens("unwanted running"));
        Assert.Equal(["[UNK]", "runn", "##ing"], Published.Tokens("unwantedX running"));
        Assert.Equal(["un", "##aff", "##able"], TinyVocabularies.Bert(["un", "##aff", "##able"], special: true).Tokens("unaffable"));
    }

    [Fact]
    public void EncodeBody_OfSeveralPieces_TakesTheLongest() =>
        Assert.Equal(["abc", "##de", "##f"],
            TinyVocabularies.Bert(["a", "ab", "abc", "##d", "##de", "##f", "##c"], special: true).Tokens("abcdef"));

    [Theory]
    [InlineData(" \tHeLLo!how  \n Are yoU?  ", "hello ! how are you ?")]
    [InlineData("H\u00E9llo", "hello")]                                        // one code point
    [InlineData("He\u0301llo", "hello")]                                       // letter and accent
    [InlineData("ah\u535A\u63A8zz", "ah \u535A \u63A8 zz")]                    // ideographs stand alone
    [InlineData("一只红色的猫，坐在窗边。", "一 只 红 色 的 猫 ， 坐 在 窗 边 。")]
    [InlineData("小桥流水人家，Van Gogh style。", "小 桥 流 水 人 家 ， van gogh style 。")]
    [InlineData("2023年LoRA训练", "2023 年 lora 训 练")]
    [InlineData("ひらがな カタカナ", "ひらかな カタカナ")]                       // kana are no ideographs; a voiced mark is an accent
    [InlineData("한국어", "\u1112\u1161\u11AB\u1100\u116E\u11A8\u110B\u1165")] // Hangul comes apart with the accents
    [InlineData("\uD840\uDC00\uD840\uDC01", "\uD840\uDC00 \uD840\uDC01")]      // extension B
    [InlineData("\uD86E\uDC20x", "\uD86E\uDC20 x")]                            // the first of extension E, which some implementations miss
    [InlineData("\uF900", "\u8C48")]                                           // a compatibility ideograph has its plain form
    [InlineData("a\u00ADb\u200Bc\uFEFFd\u0000e\u0007f", "abcdef")]             // soft hyphen, format and control characters vanish
    [InlineData("a\u00A0b\u3000c\u2028d\u2003e\r\nf", "a b c d e f")]          // white space of all kinds
    [InlineData("a\u000Bb\u0085c", "abc")]                                     // these are control characters, not white space, to BERT
    [InlineData("$5+x=`y`|~", "$ 5 + x = ` y ` | ~")]                          // ASCII symbols count as punctuation
    [InlineData("€5×2", "€5×2")]                                               // others do not
    [InlineData("«a»—b…", "« a » — b …")]
    [InlineData("don't", "don ' t")]
    [InlineData("İSTANBUL", "istanbul")]
    [InlineData("ΟΔΟΣ", "οδοσ")]                                               // letter by letter: no final sigma
    [InlineData("cat😀dog \uD83D\uDCA9", "cat😀dog \uD83D\uDCA9")]               // emoji are no punctuation
    [InlineData("👩\u200D🚀", "👩🚀")]                                          // joiners are format characters
    [InlineData("x\uD800y\uFFFDz", "xyz")]                                     // half a surrogate pair
    [InlineData("\uE000private", "private")]
    public void EncodeBody_SplitsWordsAsBertDoes(string text, string expected)
    {
        var words = expected.Split(' ');
        Assert.Equal(words, TinyVocabularies.Bert([.. words.Distinct()], special: true).Tokens(text));
    }

    [Theory]
    [InlineData("HeLLo!Are", true, null, "hello ! are")]
    [InlineData("HeLLo!Are", false, null, "HeLLo ! Are")]
    [InlineData("HÉllo", false, null, "HÉllo")]
    [InlineData("HE\u0301llo", false, null, "HÉllo")]     // form C where accents stay
    [InlineData("HÉllo", false, true, "HEllo")]
    [InlineData("HÉllo", true, false, "héllo")]
    [InlineData("İ", true, false, "i\u0307")]
    public void EncodeBody_CaseAndAccents_AreAsConfigured(string text, bool lowerCase, bool? stripAccents, string expected)
    {
        var words = expected.Split(' ');
        var tokenizer = TinyVocabularies.Bert(
            words, special: true, new BertTokenizerOptions { LowerCase = lowerCase, StripAccents = stripAccents });
        Assert.Equal(words, tokenizer.Tokens(text));
    }

    [Fact]
    public void EncodeBody_ChineseCharactersUnsplit_AreWordsOfSeveral()
    {
        var tokenizer = TinyVocabularies.Bert(["红色", "##的"], special: true, new BertTokenizerOptions { SplitChineseCharacters = false });
        Assert.Equal(["红色", "##的"], tokenizer.Tokens("红色的"));
    }

    [Fact]
    public void EncodeBody_SpecialTokens_AreCutOutAsTheyStand()
    {
        Assert.Equal(["want", "[MASK]", "wa", "[SEP]"], Published.Tokens("want[MASK]wa [SEP]"));
        Assert.Equal(["[UNK]", "[UNK]", "[UNK]"], Published.Tokens("[mask]"));   // "[", "mask", "]": only the upper case one is special
    }

    [Fact]
    public void EncodeBody_AddedTokens_HaveTheirIds()
    {
        var tokenizer = TinyVocabularies.Bert(
            ["a", "cat"], special: true, added: new Dictionary<string, int> { ["<猫>"] = 50, ["<猫>2"] = 51 });
        Assert.Equal(51, tokenizer.LargestId);
        Assert.Equal([50], tokenizer.EncodeBody("<猫>"));
        Assert.Equal([tokenizer.Vocabulary["a"], 51, tokenizer.Vocabulary["cat"]], tokenizer.EncodeBody("a <猫>2cat"));
    }

    [Fact]
    public void WithAddedTokens_AddsToThoseThatWereThere()
    {
        ITextTokenizer tokenizer = TinyVocabularies.Bert(
            ["a", "cat"], special: true, added: new Dictionary<string, int> { ["<x>"] = 50, ["<y>"] = 51 });
        var more = tokenizer.WithAddedTokens(new Dictionary<string, int> { ["<y>"] = 60, ["<z>"] = 61 });
        Assert.Equal([50, 60, 61, 5], more.EncodeBody("<x><y><z>a"));
        Assert.Equal([51], tokenizer.EncodeBody("<y>"));
        ITextTokenizer roberta = new RobertaTokenizer(TinyVocabularies.ByteLevel([]), []);
        Assert.Equal([500], roberta.WithAddedTokens(new Dictionary<string, int> { ["<z>"] = 500 }).EncodeBody("<z>"));
    }

    [Theory]
    [InlineData(100, "a")]
    [InlineData(101, "[UNK]")]
    public void EncodeBody_WordOfManyCharacters_IsUnknownBeyondAHundred(int length, string first)
    {
        var tokenizer = TinyVocabularies.Bert(["a", "##a"], special: true);
        var tokens = tokenizer.Tokens(new string('a', length));
        Assert.Equal(first, tokens[0]);
        Assert.Equal(first == "a" ? length : 1, tokens.Count);
    }

    [Fact]
    public void EncodeBody_NoLongestWord_ReadsWordsOfAnyLength()
    {
        var tokenizer = TinyVocabularies.Bert(["a", "##a"], special: true, new BertTokenizerOptions { MaxWordLength = int.MaxValue });
        Assert.Equal(100_000, tokenizer.EncodeBody(new string('a', 100_000)).Count);
    }

    [Fact]
    public void EncodeBody_LengthOfWords_CountsCharactersNotUnits()
    {
        var tokenizer = TinyVocabularies.Bert(["😀", "##😀"], special: true);
        Assert.Equal(100, tokenizer.EncodeBody(string.Concat(Enumerable.Repeat("😀", 100))).Count);
        Assert.Equal(["[UNK]"], tokenizer.Tokens(string.Concat(Enumerable.Repeat("😀", 101))));
    }

    [Fact]
    public void EncodePadded_ShortText_IsFilled()
    {
        var row = Assert.Single(Published.EncodePadded("want running", 6));
        Assert.Equal([1, 3, 8, 9, 2, 11, 11, 11], row);
        Assert.Equal(77, Published.EncodePadded("want")[0].Length);
        Assert.Equal(152, Published.EncodePadded("want", 150)[0].Length);
    }

    [Fact]
    public void EncodePadded_LongText_KeepsItsEnd()
    {
        Assert.Equal([1, 3, 3, 3, 2], Published.EncodePadded("want want want want want", 3)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Published.EncodePadded("want", 0));
    }

    [Fact]
    public void EncodeRow_GivesMaskAndCountBeforeTheCut()
    {
        var shorter = Published.EncodeRow("want [PAD]", 4);
        Assert.Equal([1, 3, 11, 2, 11, 11], shorter.Ids);
        Assert.Equal([1, 1, 1, 1, 0, 0], shorter.AttentionMask);   // a padding token in the text is text
        Assert.Equal(2, shorter.TokenCount);
        var longer = Published.EncodeRow("want want want", 2);
        Assert.Equal([1, 1, 1, 1], longer.AttentionMask);
        Assert.Equal(3, longer.TokenCount);
    }

    [Fact]
    public void CountTokens_OfAnyTokenizer_CountsBeforeTheCut()
    {
        Assert.Equal(200, Published.CountTokens(string.Concat(Enumerable.Repeat("want ", 200))));
        Assert.Equal(0, Published.CountTokens(" "));
        Assert.Equal(5, ClipTokenizer.Sd1().CountTokens("a photo of a cat"));
    }

    [Fact]
    public void EncodeWeighted_GivesTheWeightOfEachToken()
    {
        var tokens = Published.EncodeWeighted("want (running:1.5), [wa]", 8);
        Assert.Equal([1, 3, 8, 9, 10, 6, 2, 11, 11, 11], tokens.Ids[0]);
        float[] expected = [1, 1, 1.5f, 1.5f, 1, 1 / 1.1f, 1, 1, 1, 1];
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], tokens.Weights[0][i], 1e-6f);
    }

    [Fact]
    public void Constructor_VocabularyWithoutSpecialToken_NamesIt()
    {
        var error = Assert.Throws<ArgumentException>(() =>
            new BertTokenizer(new Dictionary<string, int> { ["[CLS]"] = 0, ["[SEP]"] = 1, ["[PAD]"] = 2 }));
        Assert.Contains("[UNK]", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOptionsException>(() =>
            TinyVocabularies.Bert(["a"], special: true, new BertTokenizerOptions { MaxWordLength = 0 }));
    }

    [Fact]
    public void EncodeBody_RandomTexts_KeepTheRules()
    {
        var tokenizer = TinyVocabularies.Bert(["a", "##a", "b", "##b", "ab", "##ba", "猫", "的", ",", "!", "😀"], special: true);
        var random = new Random(7);
        for (var round = 0; round < 2000; round++)
        {
            var text = TinyVocabularies.RandomText(random);
            var ids = tokenizer.EncodeBody(text);
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.LargestId));
            // White space around and between says nothing; tokens read back as text give the same tokens.
            Assert.Equal(ids, tokenizer.EncodeBody($" \t{text}\n"));
            Assert.Equal([.. ids, .. ids], tokenizer.EncodeBody($"{text} {text}"));
            if (!ids.Contains(tokenizer.Vocabulary["[UNK]"])) Assert.Equal(ids, tokenizer.EncodeBody(tokenizer.Text(ids)));
            Assert.Equal(12, tokenizer.EncodePadded(text, 10)[0].Length);
        }
    }

    [Fact]
    public void EncodeBody_LongHostileTexts_CostInProportion()
    {
        var ids = TinyVocabularies.Ids("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", new string('a', 90));
        var tokenizer = new BertTokenizer(ids);
        var counting = new CountingComparer();
        var encoder = new WordPieceEncoder(ids, tokenizer.Options, 1, counting);
        foreach (var text in new[]
        {
            new string('a', 1_000_000), string.Concat(Enumerable.Repeat("aaaa ", 200_000)), new string('[', 300_000),
                "e" + new string('\u0301', 200_000),
        })
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var found = tokenizer.EncodeBody(text);
            Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (double)text.Length, 0, 120);

            counting.Count = 0;
            var again = new List<int>();
            var plain = BertWordSplitter.Normalize(text, tokenizer.Options);
            for (var position = 0; BertWordSplitter.Next(plain, ref position) is { IsEmpty: false } word;) encoder.Encode(word, again);
            Assert.Equal(found, again);
            Assert.InRange(counting.Count / (double)text.Length, 0, 2);
        }
    }
}
