using Microsoft.ML.Tokenizers;

namespace StableTune.Models.Tests;

public class BytePairEncoderTests
{
    private static readonly BytePairEncoder Encoder = ClipVocabulary.Full.Encoder;

    // The package with its own table of bytes, cache, and no cutting of long words.
    private static readonly BpeTokenizer Package = BpeTokenizer.Create(new BpeOptions(ClipVocabulary.Full.Ids)
    {
        Merges = ClipVocabulary.Full.Merges, ByteLevel = true,
        EndOfWordSuffix = ClipVocabulary.EndOfWord, UnknownToken = ClipVocabulary.EndToken,
    });

    [Fact]
    public void Encode_RandomWords_AgreesWithThePackage()
    {
        var random = new Random(3);
        string[] letters =
            ["a", "e", "n", "s", "t", "q", "é", "ß", "Ж", "猫", "한", "\u0301", "😀", "𝒳", "!", "-", "1", "\0", "\u007f"];
        for (var round = 0; round < 3000; round++)
        {
            var word = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => letters[random.Next(letters.Length)]));
            Assert.Equal(Whole(word), Encode(Encoder, word));
            Assert.Equal(Whole(word), Encode(Encoder, word));   // from the cache
        }
    }

    [Theory]
    [InlineData("abcdefghijklmnopqrstuvwxyz")]
    [InlineData("etaoinshrdlu")]
    [InlineData("ab")]
    [InlineData("a")]
    [InlineData("-")]
    [InlineData("猫的红色")]
    public void Encode_LongWords_AgreesWithThePackage(string letters)
    {
        var random = new Random(letters.Length);
        for (var length = BytePairEncoder.LongestPiece - 1; length < 4 * BytePairEncoder.LongestPiece; length += 3001)
        {
            var word = string.Concat(Enumerable.Range(0, length).Select(_ => letters[random.Next(letters.Length)]));
            Assert.Equal(Whole(word), Encode(Encoder, word));
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("the")]
    [InlineData("\ud800")]
    public void Encode_WordOfAHundredThousandLetters_AsksForPiecesThatGrowNoLonger(string unit)
    {
        var word = string.Concat(Enumerable.Repeat(unit, 100_000 / unit.Length));
        RecordingTokenizer recording = null!;
        var encoder = new BytePairEncoder(
            ClipVocabulary.Full.Ids, ClipVocabulary.Full.Merges, ClipVocabulary.EndOfWord, ClipVocabulary.EndToken,
            package => recording = new(package));
        Encode(encoder, word);
        Assert.All(recording.Lengths, length => Assert.InRange(length, 1, BytePairEncoder.LongestPiece));
        Assert.InRange(recording.Lengths.Sum() / (double)System.Text.Encoding.UTF8.GetByteCount(word), 1, 2.5);
    }

    [Fact]
    public void Encode_HalfSurrogatePair_IsAReplacementCharacter() =>
        Assert.Equal(Encode(Encoder, "a\ufffdb"), Encode(Encoder, "a\ud83db"));

    [Fact]
    public void Encode_SymbolThatTheVocabularyLacks_IsUnknown()
    {
        var encoder = new BytePairEncoder(TinyVocabularies.Ids("?", "a", "b", "ab"), ["a b"], endOfWord: null, "?");
        Assert.Equal([3, 0, 0, 1, 0, 3], Encode(encoder, "abéacab"));
    }

    [Fact]
    public void Constructor_MergeThatStandsTwice_CountsOnce()
    {
        var ids = TinyVocabularies.Ids("?", "a", "b", "c", "ab", "bc");
        var encoder = new BytePairEncoder(ids, ["a b", "b c", "a b"], endOfWord: null, "?");
        Assert.Equal([4, 3], Encode(encoder, "abc"));
    }

    [Fact]
    public void Encode_ByManyThreads_GivesTheSameIds()
    {
        var words = Enumerable.Range(0, 500).Select(i => $"word{i * 7919}").ToArray();
        var expected = words.Select(Whole).ToArray();
        var encoder = ClipVocabulary.Embedded(ClipVocabulary.FullMergeCount).Encoder;
        Parallel.For(0, 4000, i => Assert.Equal(expected[i % 500], Encode(encoder, words[i % 500])));
    }

    private static IReadOnlyList<int> Whole(string word) =>
        Package.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false);

    private static List<int> Encode(BytePairEncoder encoder, string word)
    {
        var ids = new List<int>();
        encoder.Encode(word, ids);
        return ids;
    }
}
