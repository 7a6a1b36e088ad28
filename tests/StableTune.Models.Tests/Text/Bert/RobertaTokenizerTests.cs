namespace StableTune.Models.Tests;

public class RobertaTokenizerTests
{
    // "Ġ" (U+0120) is how a blank is written.
    private static readonly string[] Merges = ["l o", "lo w", "Ġ lo", "Ġ low", "e r", "Ġlow er", "Ġ c", "Ġc a", "Ġca t"];
    private static readonly RobertaTokenizer Tokenizer = Create();

    [Theory]
    [InlineData("low", "low")]
    [InlineData(" low", "Ġlow")]
    [InlineData("low lower", "low Ġlower")]
    [InlineData("lower", "low er")]
    [InlineData("low  lower", "low Ġ Ġlower")]             // of two blanks the second belongs to the word
    [InlineData("low   ", "low Ġ Ġ Ġ")]
    [InlineData("low\nlower", "low Ċ low er")]              // only a blank belongs to the word behind it
    [InlineData("low\n lower", "low Ċ Ġlower")]
    [InlineData("low\n\nlower", "low Ċ Ċ low er")]
    [InlineData("Low", "L o w")]                            // case counts
    [InlineData("cat's", "c a t ' s")]
    [InlineData(" cat's", "Ġcat ' s")]
    [InlineData(" cat 's", "Ġcat Ġ ' s")]
    [InlineData("low!!", "low ! !")]
    [InlineData("low1low", "low 1 low")]
    [InlineData("é", "Ã ©")]                                // bytes C3 A9
    [InlineData("猫", "ç Į «")]                             // bytes E7 8C AB
    [InlineData("\u3000low", "ã Ģ Ģ low")]                  // white space, but no blank: a word of its own
    [InlineData("\0", "Ā")]
    public void EncodeBody_SplitsAndMergesAsRobertaDoes(string text, string expected) =>
        Assert.Equal(expected.Split(' '), Tokenizer.Tokens(text));

    [Fact]
    public void EncodeBody_AddPrefixSpace_ReadsTheFirstWordAsOneInside()
    {
        var tokenizer = Create(new RobertaTokenizerOptions { AddPrefixSpace = true });
        Assert.Equal(["Ġlow", "Ġlow"], tokenizer.Tokens("low low"));
        Assert.Equal(["Ġlow"], tokenizer.Tokens(" low"));
        Assert.Empty(tokenizer.Tokens(""));
    }

    [Fact]
    public void EncodeBody_SpecialTokens_AreCutOut()
    {
        Assert.Equal(["low", "</s>", "low", "<pad>"], Tokenizer.Tokens("low</s>low<pad>"));
        Assert.Equal(["low", "<mask>", "Ġlow"], Tokenizer.Tokens("low  <mask> low"));   // the mask takes the blanks before it
    }

    [Fact]
    public void Encode_HasStartAndEnd()
    {
        Assert.Equal([0, .. Tokenizer.EncodeBody("low"), 2], Tokenizer.Encode("low"));
        Assert.Equal([0, 2, 1, 1, 1], Tokenizer.EncodePadded("", 3)[0]);
        Assert.Equal([1, 1, 0, 0, 0], Tokenizer.EncodeRow("", 3).AttentionMask);
    }

    [Fact]
    public void EncodeBody_RandomTexts_LoseNoByte()
    {
        var random = new Random(11);
        var bytes = TinyVocabularies.ByteOfSymbol();
        for (var round = 0; round < 2000; round++)
        {
            var text = TinyVocabularies.RandomText(random);
            var symbols = string.Concat(Tokenizer.Tokens(text));
            Assert.Equal(text.Replace('\uD800', '\uFFFD'),
                System.Text.Encoding.UTF8.GetString([.. symbols.Select(symbol => bytes[symbol])]));
        }
    }

    [Fact]
    public void Constructor_MergeThatTheVocabularyDoesNotKnow_IsNamed()
    {
        var error = Assert.Throws<ArgumentException>(() => new RobertaTokenizer(Tokenizer.Vocabulary, ["l o", "lo x"]));
        Assert.Contains("\"lox\"", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new RobertaTokenizer(Tokenizer.Vocabulary, ["lo"]));
        Assert.Throws<ArgumentException>(() => new RobertaTokenizer(new Dictionary<string, int>(), []));
        var shared = new Dictionary<string, int>(Tokenizer.Vocabulary) { ["twin"] = 2 };
        error = Assert.Throws<ArgumentException>(() => new RobertaTokenizer(shared, []));
        Assert.Contains("the id 2 to \"</s>\" and to \"twin\"", error.Message, StringComparison.Ordinal);
    }

    private static RobertaTokenizer Create(RobertaTokenizerOptions? options = null) =>
        new(TinyVocabularies.ByteLevel(Merges), Merges, options);
}
