using System.Text;
using System.Text.RegularExpressions;
using Package = Microsoft.ML.Tokenizers;

namespace StableTune.Models.Tests;

/// <summary>Our tokenizers against those of Microsoft.ML.Tokenizers as they come, on texts where both must give the same ids.</summary>
public partial class PackageOracleTests
{
    // Composed, in the basic plane, and without special words: where the package's regular expressions and lower case do what the
    // references do.
    private static readonly string[] Pieces =
    [
        "cat", "a", "Photo", "OF", "running", "jekyll", "xqzt", "é", "Ä", "ß", "Жук", "猫", "한국", "ﬁ", "1", "42", "²", "½",
        "!", "?!", ",", "...", "--", "$", "(", ")", ":", "'", "'s", "'LL", "don't", " ", " ", " ", "  ", "\t", "\n", "\u3000", "\u00a0",
    ];

    private static readonly Dictionary<string, int> Pieced = TinyVocabularies.Ids(
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "a", "##a", "photo", "ph", "##ot", "##o", "of", "run", "##ning", "##n", "je",
        "##kyll", "x", "q", "##q", "##zt", "##z", "##t", "don", "t", "s", "ll", "1", "4", "##2", "42", "##1", "!", "?", ",", ".", "-", "$",
        "(", ")", ":", "'", "猫", "##cat", "##s",
    ]);

    [Fact]
    public void Clip_RandomTexts_AgreesWithThePackage()
    {
        var package = Package.BpeTokenizer.Create(new Package.BpeOptions(ClipVocabulary.Full.Ids)
        {
            Merges = ClipVocabulary.Full.Merges, ByteLevel = true, EndOfWordSuffix = ClipVocabulary.EndOfWord,
            Normalizer = new Package.LowerCaseNormalizer(), PreTokenizer = new Package.RegexPreTokenizer(ClipWords(), null),
        });
        foreach (var text in Texts(3000)) AssertSame(text, package.EncodeToIds(text), ClipTokenizer.Sd1().EncodeBody(text));
    }

    [Fact]
    public void Roberta_RandomTexts_AgreesWithThePackage()
    {
        string[] merges = ["c a", "ca t", "Ġ cat", "Ġ c", "r u", "n n", "ru nn", "i n", "in g", "Ġ a", "Ġ Ġ", "o f", "Ã ©"];
        var vocabulary = TinyVocabularies.ByteLevel(merges);
        var package = Package.BpeTokenizer.Create(new Package.BpeOptions(vocabulary)
        {
            Merges = merges, ByteLevel = true, PreTokenizer = new Package.RegexPreTokenizer(Gpt2Words(), null),
        });
        var tokenizer = new RobertaTokenizer(vocabulary, merges);
        foreach (var text in Texts(3000)) AssertSame(text, package.EncodeToIds(text), tokenizer.EncodeBody(text));
    }

    [Fact]
    public void Bert_RandomTexts_AgreesWithThePackage()
    {
        var package = Package.BertTokenizer.Create(
            Lines(),
            new Package.BertOptions { LowerCaseBeforeTokenization = true, IndividuallyTokenizeCjk = true, RemoveNonSpacingMarks = false });
        var tokenizer = new BertTokenizer(Pieced, new BertTokenizerOptions { StripAccents = false });
        // In the package tabs and line ends vanish, where BERT reads white space, and so do symbols and raised numbers, which are words.
        foreach (var text in Texts(3000).Where(text => !text.AsSpan().ContainsAny("\t\n$²½")))
            AssertSame(text, package.EncodeToIds(text, addSpecialTokens: false), tokenizer.EncodeBody(text));
    }

    [Fact]
    public void WordPiece_RandomWords_AgreesWithThePackage()
    {
        var package = Package.WordPieceTokenizer.Create(Lines());
        var encoder = new WordPieceEncoder(Pieced, new BertTokenizerOptions(), unknownId: 1);
        var random = new Random(23);
        var pieces = Pieced.Keys.Skip(5).Select(piece => piece.TrimStart('#')).ToArray();
        for (var round = 0; round < 5000; round++)
        {
            var word = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => pieces[random.Next(pieces.Length)]));
            var ids = new List<int>();
            encoder.Encode(word, ids);
            AssertSame(word, package.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false), ids);
        }
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")]
    private static partial Regex ClipWords();

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    private static partial Regex Gpt2Words();

    private static MemoryStream Lines() =>
        new(Encoding.UTF8.GetBytes(string.Join('\n', Pieced.OrderBy(entry => entry.Value).Select(entry => entry.Key))));

    private static IEnumerable<string> Texts(int count)
    {
        var random = new Random(count);
        string Text() => string.Concat(Enumerable.Range(0, random.Next(14)).Select(_ => Pieces[random.Next(Pieces.Length)]));
        return Enumerable.Range(0, count).Select(_ => Text());
    }

    private static void AssertSame(string text, IReadOnlyList<int> expected, IReadOnlyList<int> actual) =>
        Assert.True(
            expected.SequenceEqual(actual), $"\"{text}\": the package gives {string.Join(' ', expected)}, ours {string.Join(' ', actual)}");
}
