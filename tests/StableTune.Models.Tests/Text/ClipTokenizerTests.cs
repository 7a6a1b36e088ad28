using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public class ClipTokenizerTests
{
    private static readonly JsonElement[] Cases = TokenizerCases.Read("tokenizer_cases.json");

    // SDXL's second encoder: padding id 0, but "!" stays a part of the text.
    private static readonly ClipTokenizer Sdxl2 = ClipTokenizer.Sd1().WithPadId(0);

    [Fact]
    public void Encode_AllCases_AgreeWithTheReference()
    {
        Assert.Equal(300, Cases.Length);
        foreach (var item in Cases)
        {
            Check(item, "v1", item.Ids("ids"), ClipTokenizer.Sd1().Encode(item.Text()));
            Check(item, "v2", item.Ids("ids_v2", "ids"), ClipTokenizer.Sd2().Encode(item.Text()));
            Check(item, "sdxl2", item.Ids("ids_sdxl2", "ids"), Sdxl2.Encode(item.Text()));
        }
    }

    [Fact]
    public void EncodePadded_OneChunk_AgreesWithTheReference()
    {
        foreach (var item in Cases.Where(item => item.TryGetProperty("pad77_v1", out _)))
        {
            Check(item, "v1", item.Chunks("pad77_v1"), ClipTokenizer.Sd1().EncodePadded(item.Text()));
            Check(item, "v2", item.Chunks("pad77_v2"), ClipTokenizer.Sd2().EncodePadded(item.Text()));
            // One case with a "!" has its SDXL chunks for 150 and 225 tokens only.
            if (item.TryGetProperty("ids_v2", out _) && !item.TryGetProperty("pad77_sdxl2", out _)) continue;
            Check(item, "sdxl2", item.Chunks("pad77_sdxl2", "pad77_v2"), Sdxl2.EncodePadded(item.Text()));
        }
    }

    [Theory]
    [InlineData(150)]
    [InlineData(225)]
    public void EncodePadded_SeveralChunks_AgreesWithTheReference(int maxTokenLength)
    {
        var (chunk, seen) = ($"chunk{maxTokenLength}", 0);
        foreach (var item in Cases.Where(item => item.TryGetProperty(chunk + "_v1", out _)))
        {
            Check(item, "v1", item.Chunks(chunk + "_v1"), ClipTokenizer.Sd1().EncodePadded(item.Text(), maxTokenLength));
            Check(item, "v2", item.Chunks(chunk + "_v2"), ClipTokenizer.Sd2().EncodePadded(item.Text(), maxTokenLength));
            Check(item, "sdxl2", item.Chunks(chunk + "_sdxl2", chunk + "_v2"), Sdxl2.EncodePadded(item.Text(), maxTokenLength));
            seen++;
        }

        Assert.True(seen >= 25, $"only {seen} cases have {chunk}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(77)]
    [InlineData(-75)]
    public void EncodePadded_LengthNoMultipleOf75_Throws(int maxTokenLength) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ClipTokenizer.Sd1().EncodePadded("cat", maxTokenLength));

    [Theory]
    [InlineData("a")]
    [InlineData("<|endoftext|")]
    [InlineData("\u0301")]
    [InlineData("!'s")]
    [InlineData("1")]
    [InlineData("\ud800")]
    public void EncodePadded_HostileLongText_CostsInProportion(string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, 300_000 / unit.Length));
        var tokenizer = ClipTokenizer.Sd1();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(3, tokenizer.EncodePadded(text, 225).Length);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (double)text.Length, 0, 300);
    }

    [Fact]
    public void Encode_HalfSurrogatePair_CountsAsReplacementCharacter() =>
        Assert.Equal(ClipTokenizer.Sd1().Encode("a \ufffd b"), ClipTokenizer.Sd1().Encode("a \ud83d b"));

    [Theory]
    [InlineData("", "")]
    [InlineData(" \t\r\n\u3000", "")]
    [InlineData("\0", "\u0100</w>")]                       // the stand-in of byte 0
    [InlineData("a\0b", "a</w> \u0100</w> b</w>")]
    public void EncodeBody_NothingOrNul_GivesItsBytes(string text, string expected) =>
        Assert.Equal(
            expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(token => ClipVocabulary.Full.Ids[token]),
            ClipTokenizer.Sd1().EncodeBody(text));

    [Fact]
    public void Encode_ByManyThreads_GivesTheSameIds()
    {
        var tokenizer = new ClipTokenizer(ClipVocabulary.Full);
        var texts = Cases.Select(item => item.Text()).ToArray();
        Parallel.For(0, 1200, i => Assert.Equal(Cases[i % 300].Ids("ids"), tokenizer.Encode(texts[i % 300])));
    }

    [Fact]
    public void Encode_AddedTokens_AreCutOutLongestFirst()
    {
        var tokenizer = new ClipTokenizer(
            ClipVocabulary.Full, addedTokens: new Dictionary<string, int> { ["frog"] = 49408, ["frog1"] = 49409, ["Ä b"] = 49410 });

        Assert.Equal([49406, 320, 49409, 49408, 49407], tokenizer.Encode("a frog1frog"));
        Assert.Equal([49406, 49410, 49407], tokenizer.Encode("Ä b"));
        Assert.Equal(ClipTokenizer.Sd1().Encode("Frog"), tokenizer.Encode("Frog"));
        Assert.Equal(49410, tokenizer.LargestId);
    }

    [Fact]
    public void FromFolder_TinyModel_GivesItsTokenizer()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = ClipTokenizer.FromFolder(Path.Combine(FixtureModels.TinySd15(folder), "tokenizer"));

        Assert.Equal((998, 999, 999, 999), (tokenizer.StartId, tokenizer.EndId, tokenizer.PadId, tokenizer.LargestId));
        Assert.Equal([998, 320, 999], tokenizer.Encode("a"));
    }

    [Fact]
    public void FromFolder_PadTokenExclamationMark_IsCutOut()
    {
        using var folder = new TemporaryFolder();
        ClipVocabulary.WriteFiles(folder.Path);
        File.WriteAllText(folder.File("special_tokens_map.json"), """{"pad_token": {"content": "!", "lstrip": false}}""");
        var tokenizer = ClipTokenizer.FromFolder(folder.Path);

        Assert.Equal(0, tokenizer.PadId);
        foreach (var item in Cases.Where(item => item.TryGetProperty("ids_v2", out _)))
            Check(item, "v2", item.Ids("ids_v2"), tokenizer.Encode(item.Text()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FromFolder_TokenizerJsonAlone_GivesTheSame(bool pairs)
    {
        using var folder = new TemporaryFolder();
        var vocabulary = ClipVocabulary.Embedded(486);
        var json = Fast(vocabulary, "BPE", pairs);
        File.WriteAllText(folder.File("tokenizer.json"), json);
        var tokenizer = ClipTokenizer.FromFolder(folder.Path);
        Assert.Equal(vocabulary.Ids.OrderBy(entry => entry.Value), tokenizer.Vocabulary.Ids.OrderBy(entry => entry.Value));
        Assert.Equal(vocabulary.Merges, tokenizer.Vocabulary.Merges);
        Assert.Equal(new Dictionary<string, int> { ["<cat>"] = 1000 }, tokenizer.AddedTokens);
        Assert.Equal([.. new ClipTokenizer(vocabulary).Encode("a green frog")[..^1], 1000, tokenizer.EndId],
            tokenizer.Encode("a green frog<cat>"));
    }

    [Fact]
    public void FromFolder_TokenizerJsonOfAnotherKind_IsRefused()
    {
        using var folder = new TemporaryFolder();
        string Refused(string json)
        {
            File.WriteAllText(folder.File("tokenizer.json"), json);
            var error = Assert.Throws<InvalidFileException>(() => ClipTokenizer.FromFolder(folder.Path));
            Assert.Equal(folder.File("tokenizer.json"), error.Path);
            return error.Fault;
        }

        var json = Fast(ClipVocabulary.Embedded(3), "BPE", false);
        Assert.Contains("of kind Unigram", Refused(Fast(ClipVocabulary.Embedded(3), "Unigram", false)), StringComparison.Ordinal);
        Assert.Contains("\"<|endoftext|>\" is missing", Refused(json.Replace(@"\u003C|endoftext|\u003E", "end", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Contains("no list of \"merges\"", Refused("""{"model": {"type": "BPE", "vocab": {}}}"""), StringComparison.Ordinal);
        Assert.Contains("has no token \"zzzz\"",
            Refused(json.Replace("\"merges\":[", "\"merges\":[\"zzzz a\",", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    private static string Fast(ClipVocabulary vocabulary, string kind, bool pairs) => JsonSerializer.Serialize(new
    {
        added_tokens = new[] { new { id = 1000, content = "<cat>" } },
        model = new { type = kind, vocab = vocabulary.Ids,
            merges = vocabulary.Merges.Select(merge => pairs ? (object)merge.Split(' ') : merge) },
    });

    [Fact]
    public void FromFolder_AddedTokensFiles_AreRead()
    {
        using var folder = new TemporaryFolder();
        ClipVocabulary.WriteFiles(folder.Path, 0);
        File.WriteAllText(folder.File("added_tokens.json"), """{"<cat>": 514}""");
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"added_tokens_decoder": {"513": {"content": "<|endoftext|>"}, "515": {"content": "<dog>"}}}""");
        Assert.Equal([512, 514, 515, 513], ClipTokenizer.FromFolder(folder.Path).Encode("<cat> <dog>"));
    }

    [Theory]
    [InlineData("vocab.json", null, "missing")]
    [InlineData("merges.txt", null, "missing")]
    [InlineData("vocab.json", "{\"a\": ", "not a JSON object")]
    [InlineData("vocab.json", "[1]", "not a JSON object")]
    [InlineData("vocab.json", "{\"a\": -1}", "-1")]
    [InlineData("vocab.json", "{\"a\": 99999999999}", "99999999999")]
    [InlineData("vocab.json", "{\"a\": 0, \"b\": 0}", "each used once")]
    [InlineData("vocab.json", "{\"a\": 0}", "no token")]
    [InlineData("vocab.json", "{\"\\ud800\": 0}", "not a JSON object")]
    [InlineData("merges.txt", "#version: 0.2\ni n\nthree words here", "line 3")]
    [InlineData("merges.txt", "#version: 0.2\nq q\n", "qq")]
    [InlineData("special_tokens_map.json", "{\"pad_token\": \"<none>\"}", "<none>")]
    [InlineData("special_tokens_map.json", "{", "not JSON")]
    [InlineData("special_tokens_map.json", "{\"pad_token\": \"\\ud800\"}", "not JSON")]
    [InlineData("special_tokens_map.json", "{\"pad_token\": 5}", "\"pad_token\" is 5")]
    [InlineData("tokenizer_config.json", "3", "not a JSON object")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"-7\": {\"content\": \"<cat>\"}}}", "added_tokens_decoder.-7")]
    [InlineData("added_tokens.json", "{\"<cat>\": \"x\"}", "<cat>")]
    public void FromFolder_BadFile_NamesFileAndFault(string name, string? content, string expected)
    {
        using var folder = new TemporaryFolder();
        ClipVocabulary.WriteFiles(folder.Path, 10);
        if (content is null) File.Delete(folder.File(name));
        else File.WriteAllText(folder.File(name), content);

        var error = Assert.Throws<InvalidFileException>(() => ClipTokenizer.FromFolder(folder.Path));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.True(name == "vocab.json" || error.Path.EndsWith(name, StringComparison.Ordinal), error.Path);
    }

    private static void Check(JsonElement item, string variant, int[] expected, int[] actual) =>
        Assert.True(expected.SequenceEqual(actual),
            $"{variant} of {item.Text()}: expected {string.Join(' ', expected)}, got {string.Join(' ', actual)}");

    private static void Check(JsonElement item, string variant, long[][] expected, long[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var row = 0; row < expected.Length; row++)
            Assert.True(expected[row].SequenceEqual(actual[row]),
                $"{variant}, row {row} of {item.Text()}: expected {string.Join(' ', expected[row])}, got {string.Join(' ', actual[row])}");
    }
}
