using System.Text;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class TokenizerFileTests : IDisposable
{
    private static readonly string[] Lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "猫", "É", "e"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bert_VocabTxt_GivesEachLineItsNumber()
    {
        Write("vocab.txt", string.Join('\n', Lines) + "\n");
        var tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal(9, tokenizer.LargestId);
        Assert.Equal([2, 5, 6, 7, 3], tokenizer.Encode("ab猫"));
        Assert.Equal((2, 3, 0), (tokenizer.StartId, tokenizer.EndId, tokenizer.PadId));
        Assert.Equal([9], tokenizer.EncodeBody("É"));   // lower case and without accent, by default
        Assert.Null(tokenizer.ModelMaxLength);
    }

    [Fact]
    public void Bert_Configuration_IsHeeded()
    {
        Write("vocab.txt", string.Join('\n', Lines));
        Write(
            "tokenizer_config.json",
            """{"do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": false, "model_max_length": 512, "never_split": null, "pad_token": {"content": "[MASK]"}}""");
        Write("added_tokens.json", """{"<cat>": 10, "a": 5}""");
        var tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal([8], tokenizer.EncodeBody("É"));
        Assert.Equal([1], tokenizer.EncodeBody("a猫"));   // one word, with no pieces for it
        Assert.Equal(4, tokenizer.PadId);
        Assert.Equal(512, tokenizer.ModelMaxLength);
        Assert.Equal([10], tokenizer.EncodeBody("<cat>"));
        Assert.Equal(["<cat>"], tokenizer.AddedTokens.Keys);

        Write("special_tokens_map.json", """{"pad_token": "[PAD]"}""");
        Write("tokenizer_config.json", """{"model_max_length": 1000000000000000019884624838656, "added_tokens_decoder": {"11": {"content": "<dog>"}, "0": {"content": "[PAD]"}}}""");
        tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal(0, tokenizer.PadId);
        Assert.Null(tokenizer.ModelMaxLength);
        Assert.Equal(11, tokenizer.LargestId);
    }

    [Fact]
    public void Bert_TokenizerJson_StandsInForVocabTxt()
    {
        Write("tokenizer.json", FastBert("""{"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 5, "##b": 6, "É": 7}"""));
        var tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal([2, 5, 6, 7, 1, 12, 3], tokenizer.Encode("ab É abbb<new>"));   // the last word has more than three characters
        Assert.False(tokenizer.Options.LowerCase);
        Assert.Equal(3, tokenizer.Options.MaxWordLength);
        Write("tokenizer_config.json", """{"do_lower_case": true}""");
        Assert.True(BertTokenizer.FromFolder(_folder.Path).Options.LowerCase);
    }

    [Fact]
    public void Bert_VocabTxtOfOtherSystems_ReadsTheSame()
    {
        File.WriteAllText(_folder.File("vocab.txt"), string.Join("\r\n", Lines) + "\r\n",
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        var tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal(TinyVocabularies.Ids(Lines), tokenizer.Vocabulary);
    }

    [Fact]
    public void Bert_VocabTxtWithHolesAndDuplicates_KeepsTheNumbers()
    {
        Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n\na\nb\na\n");
        var tokenizer = BertTokenizer.FromFolder(_folder.Path);
        Assert.Equal([7, 6], tokenizer.EncodeBody("a b"));   // of equal tokens the last counts, as in the reference
        Assert.Equal(7, tokenizer.LargestId);
    }

    [Theory]
    [InlineData("[PAD]\n[CLS]\n[SEP]\na\n", "[UNK]")]
    [InlineData("", "[CLS]")]
    [InlineData("not a vocabulary", "[CLS]")]
    public void Bert_VocabTxtWithoutSpecialToken_NamesFileAndToken(string text, string missing)
    {
        Write("vocab.txt", text);
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), "vocab.txt", missing);
    }

    [Fact]
    public void Bert_VocabTxtNotUtf8_NamesTheByte()
    {
        File.WriteAllBytes(_folder.File("vocab.txt"), [.. "[PAD]\n"u8, 0xC3, 0x28, (byte)'\n']);
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), "vocab.txt", "not UTF-8 (byte 6)");
    }

    [Fact]
    public void Bert_NoFiles_SaysWhatIsMissing()
    {
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), "vocab.txt", "missing");
        AssertRefused(() => BertTokenizer.FromFolder(_folder.File("none")), "none", "folder is missing");
    }

    [Fact]
    public void Bert_HugeVocabTxt_IsRefusedUnread()
    {
        using (var file = File.Create(_folder.File("vocab.txt"))) file.SetLength(300L << 20);   // a file of holes
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), "vocab.txt", "far too many");
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"do_lower_case": "yes"}""", "do_lower_case")]
    [InlineData("tokenizer_config.json", """{"model_max_length": "long"}""", "model_max_length")]
    [InlineData("tokenizer_config.json", """{"model_max_length": 1}""", "model_max_length")]
    [InlineData("tokenizer_config.json", """{"pad_token": 5}""", "pad_token")]
    [InlineData("tokenizer_config.json", """{"pad_token": {"id": 5}}""", "pad_token")]
    [InlineData("tokenizer_config.json", """{"unk_token": "[NONE]"}""", "[NONE]")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"-1": {"content": "x"}}}""", "added_tokens_decoder.-1")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"9": "x"}}""", "content")]
    [InlineData("tokenizer_config.json", """["do_lower_case"]""", "not a JSON object")]
    [InlineData("tokenizer_config.json", """{"do_lower_case": tr""", "not JSON")]
    [InlineData("tokenizer_config.json", """{"a": "\ud800"}""", "not JSON")]
    [InlineData("special_tokens_map.json", """{"cls_token": ""}""", "cls_token")]
    [InlineData("added_tokens.json", """{"<cat>": "ten"}""", "<cat>")]
    [InlineData("added_tokens.json", """{"<cat>": 2000000000}""", "<cat>")]
    [InlineData("tokenizer.json", """{"normalizer": {"lowercase": 1}}""", "normalizer.lowercase")]
    [InlineData("tokenizer.json", """{"model": {"max_input_chars_per_word": 0}}""", "max_input_chars_per_word")]
    [InlineData("tokenizer.json", """{"model": {"continuing_subword_prefix": ""}}""", "continuing_subword_prefix")]
    [InlineData("tokenizer.json", """{"added_tokens": [{"content": "x"}]}""", "added_tokens")]
    public void Bert_FaultyConfiguration_NamesFileAndKey(string file, string text, string expected)
    {
        Write("vocab.txt", string.Join('\n', Lines));
        Write(file, text);
        // A missing token is the vocabulary's fault: the message names the file that lacks it.
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), expected == "[NONE]" ? "vocab.txt" : file, expected);
    }

    [Theory]
    [InlineData("""{"model": {"type": "Unigram", "vocab": [["a", -1.5]]}}""", "Unigram")]
    [InlineData("""{"model": {"type": "WordPiece"}}""", "vocab")]
    [InlineData("""{"model": {"type": "WordPiece", "vocab": {"a": 1, "b": 1}}}""", "\"b\" is 1")]
    [InlineData("""{"model": {"type": "WordPiece", "vocab": {"a": 1.5}}}""", "1.5")]
    [InlineData("""{"model": {"type": "WordPiece", "vocab": {"a": -1}}}""", "-1")]
    [InlineData("""{"model": 7}""", "vocab")]
    public void Bert_FaultyTokenizerJson_IsRefused(string text, string expected)
    {
        Write("tokenizer.json", text);
        AssertRefused(() => BertTokenizer.FromFolder(_folder.Path), "tokenizer.json", expected);
    }

    [Fact]
    public void Bert_TruncatedFiles_AreRefusedOrRead()
    {
        var whole = Encoding.UTF8.GetBytes(FastBert("""{"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "猫": 5}"""));
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_folder.File("tokenizer.json"), whole[..length]);
            Assert.Throws<InvalidFileException>(() => BertTokenizer.FromFolder(_folder.Path));
        }
    }

    [Fact]
    public void Roberta_VocabJsonAndMerges_AreRead()
    {
        var vocabulary = TinyVocabularies.ByteLevel(["l o", "lo w"]);
        Write("vocab.json", System.Text.Json.JsonSerializer.Serialize(vocabulary));
        Write("merges.txt", "#version: 0.2\r\nl o\r\nlo w\r\n");
        Write("tokenizer_config.json", """{"add_prefix_space": true, "model_max_length": 514}""");
        var tokenizer = RobertaTokenizer.FromFolder(_folder.Path);
        Assert.Equal(["Ġ", "low"], tokenizer.Tokens("low"));
        Assert.Equal(514, tokenizer.ModelMaxLength);
        Write("tokenizer_config.json", "{}");
        Assert.Equal(["low"], RobertaTokenizer.FromFolder(_folder.Path).Tokens("low"));
    }

    [Theory]
    [InlineData("""["l o", "lo w"]""")]
    [InlineData("""[["l", "o"], ["lo", "w"]]""")]
    public void Roberta_TokenizerJson_StandsInForBoth(string merges)
    {
        var vocabulary = System.Text.Json.JsonSerializer.Serialize(TinyVocabularies.ByteLevel(["l o", "lo w"]));
        Write("tokenizer.json",
            $$"""
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
             "model": {"type": "BPE", "vocab": {{vocabulary}}, "merges": {{merges}} } }
            """);
        Assert.Equal(["low"], RobertaTokenizer.FromFolder(_folder.Path).Tokens("low"));
    }

    [Theory]
    [InlineData("lo x\n", "\"lox\"")]
    [InlineData("low\n", "\"low\"")]
    [InlineData("l o w\n", "\"l o w\"")]
    public void Roberta_FaultyMerges_AreNamed(string merges, string expected)
    {
        Write("vocab.json", System.Text.Json.JsonSerializer.Serialize(TinyVocabularies.ByteLevel(["l o", "lo w"])));
        Write("merges.txt", merges);
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "vocab.json", expected);
    }

    [Fact]
    public void Roberta_MissingFiles_AreNamed()
    {
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "vocab.json", "missing");
        Write("vocab.json", """{"<s>": 0}""");
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "merges.txt", "missing");
        Write("merges.txt", "");
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "vocab.json", "</s>");
        File.Delete(_folder.File("vocab.json"));
        Write("tokenizer.json", """{"model": {"type": "Unigram"}}""");
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "tokenizer.json", "Unigram");
        Write("tokenizer.json", """{"model": {"type": "BPE", "vocab": {"<s>": 0}, "merges": [7]}}""");
        AssertRefused(() => RobertaTokenizer.FromFolder(_folder.Path), "tokenizer.json", "merges");
    }

    private static string FastBert(string vocabulary) =>
        $$"""
        {"added_tokens": [{"id": 12, "content": "<new>", "special": false}, {"id": 0, "content": "[PAD]", "special": true}],
         "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false},
         "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 3, "vocab": {{vocabulary}} } }
        """;

    private static void AssertRefused(Action action, string file, string expected)
    {
        var error = Assert.Throws<InvalidFileException>(action);
        Assert.EndsWith(file, error.Path, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.Remedy);
    }

    private void Write(string file, string text) => File.WriteAllText(_folder.File(file), text);
}
