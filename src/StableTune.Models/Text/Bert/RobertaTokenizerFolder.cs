using System.Text;

namespace StableTune.Models;

/// <summary>Reads the tokenizer folder of a model with a RoBERTa tokenizer.</summary>
internal static class RobertaTokenizerFolder
{
    private const string Remedy = "Take the tokenizer folder of the model; a RoBERTa tokenizer has vocab.json and merges.txt, or a "
        + "tokenizer.json of kind BPE.";

    /// <summary>The tokenizer that the folder describes.</summary>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static RobertaTokenizer Read(string folder)
    {
        var files = new TokenizerFiles(folder);
        var (vocabulary, merges, origin) = ReadVocabulary(files);
        var options = ReadOptions(files);
        foreach (var token in options.RequiredTokens)
            if (!vocabulary.ContainsKey(token))
                throw new InvalidFileException(origin, $"the vocabulary has no token \"{token}\".", Remedy);
        if (RobertaTokenizer.MissingIn(vocabulary, merges) is { } fault)
            throw new InvalidFileException(origin, fault, "Take vocabulary and merges from the same model.");
        return new RobertaTokenizer(vocabulary, merges, options, files.AddedTokens(vocabulary)) { ModelMaxLength = files.MaxLength };
    }

    private static (Dictionary<string, int> Vocabulary, IReadOnlyList<string> Merges, string Origin) ReadVocabulary(TokenizerFiles files)
    {
        var (ids, merges, fast) = (files.PathOf("vocab.json"), files.PathOf("merges.txt"), files.PathOf("tokenizer.json"));
        if (File.Exists(ids) || files.Fast is null) return (TokenizerFiles.ReadIds(ids), ReadMerges(merges), ids);
        return files.FastKind is null or "BPE"
            ? (files.FastVocabulary(), files.FastMerges(), fast)
            : throw new InvalidFileException(fast, $"the tokenizer is of kind {files.FastKind}, not byte-level BPE.", Remedy);
    }

    private static RobertaTokenizerOptions ReadOptions(TokenizerFiles files)
    {
        var defaults = new RobertaTokenizerOptions();
        return new RobertaTokenizerOptions
        {
            AddPrefixSpace = files.Flag("add_prefix_space") ?? files.FastFlag("pre_tokenizer", "add_prefix_space")
                ?? defaults.AddPrefixSpace,
            StartToken = files.Token("cls_token") ?? files.Token("bos_token") ?? defaults.StartToken,
            EndToken = files.Token("sep_token") ?? files.Token("eos_token") ?? defaults.EndToken,
            PadToken = files.Token("pad_token") ?? defaults.PadToken,
            UnknownToken = files.Token("unk_token") ?? defaults.UnknownToken,
            MaskToken = files.Token("mask_token") ?? defaults.MaskToken,
        };
    }

    private static List<string> ReadMerges(string path)
    {
        var merges = new List<string>();
        foreach (var line in Encoding.UTF8.GetString(TextFile.ReadAllBytes(path)).TrimStart('\uFEFF').Split('\n'))
        {
            var merge = line.TrimEnd('\r');
            if (merge.Length > 0 && !(merges.Count == 0 && merge.StartsWith("#version", StringComparison.Ordinal))) merges.Add(merge);
        }

        return merges;
    }
}
