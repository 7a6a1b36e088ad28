using System.Text;
using System.Text.Json;

namespace StableTune.Models;

/// <summary>Reads the tokenizer folder of a model with a BERT tokenizer.</summary>
internal static class BertTokenizerFolder
{
    private const string Remedy = "Take the tokenizer folder of the model; a BERT tokenizer has a vocab.txt, or a tokenizer.json of kind "
        + "WordPiece.";

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The tokenizer that the folder describes.</summary>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static BertTokenizer Read(string folder)
    {
        var files = new TokenizerFiles(folder);
        var (vocabulary, origin) = ReadVocabulary(files);
        var options = ReadOptions(files);
        foreach (var token in options.RequiredTokens)
            if (!vocabulary.ContainsKey(token))
                throw new InvalidFileException(origin, $"the vocabulary has no token \"{token}\".", Remedy);
        return new BertTokenizer(vocabulary, options, files.AddedTokens(vocabulary)) { ModelMaxLength = files.MaxLength };
    }

    private static (Dictionary<string, int> Vocabulary, string Origin) ReadVocabulary(TokenizerFiles files)
    {
        var path = files.PathOf("vocab.txt");
        if (File.Exists(path)) return (ReadLines(path), path);
        if (files.Fast is null) throw new InvalidFileException(path, "the file is missing.", Remedy);
        var fast = files.PathOf("tokenizer.json");
        return files.FastKind is null or "WordPiece"
            ? (files.FastVocabulary(), fast)
            : throw new InvalidFileException(fast, $"the tokenizer is of kind {files.FastKind}, not WordPiece.", Remedy);
    }

    private static BertTokenizerOptions ReadOptions(TokenizerFiles files)
    {
        var defaults = new BertTokenizerOptions();
        return new BertTokenizerOptions
        {
            LowerCase = files.Flag("do_lower_case") ?? files.FastFlag("normalizer", "lowercase") ?? defaults.LowerCase,
            StripAccents = files.Flag("strip_accents") ?? files.FastFlag("normalizer", "strip_accents"),
            SplitChineseCharacters =
                files.Flag("tokenize_chinese_chars") ?? files.FastFlag("normalizer", "handle_chinese_chars")
                    ?? defaults.SplitChineseCharacters,
            MaxWordLength = ReadMaxWordLength(files) ?? defaults.MaxWordLength,
            ContinuationPrefix = ReadPrefix(files) ?? defaults.ContinuationPrefix,
            StartToken = files.Token("cls_token") ?? defaults.StartToken,
            EndToken = files.Token("sep_token") ?? defaults.EndToken,
            PadToken = files.Token("pad_token") ?? defaults.PadToken,
            UnknownToken = files.Token("unk_token") ?? defaults.UnknownToken,
            MaskToken = files.Token("mask_token") ?? defaults.MaskToken,
        };
    }

    private static int? ReadMaxWordLength(TokenizerFiles files)
    {
        const string key = "max_input_chars_per_word";
        if (files.FastModel(key) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var length) && length > 0
            ? length : throw files.Wrong("tokenizer.json", key, value, "a number from 1");
    }

    private static string? ReadPrefix(TokenizerFiles files)
    {
        const string key = "continuing_subword_prefix";
        if (files.FastModel(key) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } prefix
            ? prefix : throw files.Wrong("tokenizer.json", key, value, "a text such as \"##\"");
    }

    /// <summary>
    /// One token a line, its number from 0 being its id. As in the reference an empty line keeps its number, and of equal tokens the last
    /// one's id counts.
    /// </summary>
    private static Dictionary<string, int> ReadLines(string path)
    {
        var bytes = TextFile.ReadAllBytes(path).AsSpan();
        if (bytes.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        string text;
        try
        {
            text = StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(
                path, $"the file is not UTF-8 (byte {e.Index}).", "Save it as UTF-8, or take it from the model's repository again.", e);
        }

        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var line = 0;
        for (var start = 0; start < text.Length; line++)
        {
            var length = text.AsSpan(start).IndexOf('\n');
            if (length < 0) length = text.Length - start;
            var token = text.AsSpan(start, length).TrimEnd('\r');
            if (token.Length > 0) ids[token.ToString()] = line;
            start += length + 1;
        }

        return ids;
    }
}
