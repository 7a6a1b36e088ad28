using System.Text.Json.Nodes;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes the folder of a tokenizer.</summary>
internal static class TokenizerFolderWriter
{
    private static readonly string[] SpecialTokens = ["bos_token", "eos_token", "pad_token", "unk_token"];

    /// <summary>Writes vocabulary, merges and configuration; a source's files are copied.</summary>
    /// <param name="folder">The folder to write.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="source">The source's folder; null, or one that is not there, for none.</param>
    /// <exception cref="InvalidOperationException">There is no source, and the tokenizer is of a host's own kind, or has settings that
    /// these files have no place for.</exception>
    public static void Write(string folder, ITextTokenizer tokenizer, string? source)
    {
        if (source is not null && Directory.Exists(source)) FolderFiles.Copy(source, folder);
        else if (tokenizer is ClipTokenizer clip) WriteNew(folder, clip);
        else if (tokenizer is BertTokenizer bert && IsUsual(bert.Options)) WriteNew(folder, bert);
        else if (tokenizer is RobertaTokenizer roberta) WriteNew(folder, roberta);
        else throw new InvalidOperationException(
            $"This tokenizer of class {tokenizer.GetType().Name} can only be saved as a copy of the folder it was loaded from, and there "
                + $"is none.");
        if (tokenizer.AddedTokens.Count == 0) return;
        var added = new JsonObject();
        foreach (var (token, id) in tokenizer.AddedTokens.OrderBy(entry => entry.Value)) added.Add(token, id);
        AtomicFile.WriteText(Path.Combine(folder, "added_tokens.json"), ConfigJson.Text(added));
    }

    /// <summary>The tokenizer's class in transformers.</summary>
    public static string ClassOf(ITextTokenizer tokenizer) => tokenizer switch
    {
        BertTokenizer => "BertTokenizer",
        RobertaTokenizer => "RobertaTokenizer",
        _ => "CLIPTokenizer",
    };

    private static void WriteNew(string folder, ClipTokenizer tokenizer)
    {
        tokenizer.Vocabulary.Write(folder);
        var config = ConfigJson.Template("tokenizer");
        config["pad_token"] = tokenizer.Vocabulary.Ids.First(entry => entry.Value == tokenizer.PadId).Key;
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), ConfigJson.Text(config));
        var special = new JsonObject();
        foreach (var key in SpecialTokens) special.Add(key, config[key]!.DeepClone());
        AtomicFile.WriteText(Path.Combine(folder, "special_tokens_map.json"), ConfigJson.Text(special));
    }

    // Longest word and prefix stand in tokenizer.json only.
    private static bool IsUsual(BertTokenizerOptions options) =>
        new BertTokenizerOptions() is var usual
            && (options.MaxWordLength, options.ContinuationPrefix) == (usual.MaxWordLength, usual.ContinuationPrefix);

    private static void WriteNew(string folder, BertTokenizer tokenizer)
    {
        // The number of a line is the id; ids that no token has are empty lines.
        var lines = new string[tokenizer.Vocabulary.Values.Max() + 1];
        foreach (var (token, id) in tokenizer.Vocabulary) lines[id] = token;
        AtomicFile.WriteText(Path.Combine(folder, "vocab.txt"), string.Join('\n', lines) + "\n");
        var options = tokenizer.Options;
        WriteConfig(folder, tokenizer, new JsonObject
        {
            ["cls_token"] = options.StartToken, ["do_lower_case"] = options.LowerCase, ["mask_token"] = options.MaskToken,
            ["pad_token"] = options.PadToken,
            ["sep_token"] = options.EndToken, ["strip_accents"] = options.StripAccents,
            ["tokenize_chinese_chars"] = options.SplitChineseCharacters,
            ["unk_token"] = options.UnknownToken,
        });
    }

    private static void WriteNew(string folder, RobertaTokenizer tokenizer)
    {
        ClipVocabulary.Write(folder, tokenizer.Vocabulary, tokenizer.Merges);
        var options = tokenizer.Options;
        WriteConfig(folder, tokenizer, new JsonObject
        {
            ["add_prefix_space"] = options.AddPrefixSpace, ["bos_token"] = options.StartToken, ["cls_token"] = options.StartToken,
            ["eos_token"] = options.EndToken,
            ["mask_token"] = options.MaskToken, ["pad_token"] = options.PadToken, ["sep_token"] = options.EndToken,
            ["unk_token"] = options.UnknownToken,
        });
    }

    private static void WriteConfig(string folder, SequenceTokenizer tokenizer, JsonObject config)
    {
        if (tokenizer.ModelMaxLength is { } length) config["model_max_length"] = length;
        config["tokenizer_class"] = ClassOf(tokenizer);
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), ConfigJson.Text(config));
    }
}
