using System.Text.Json.Nodes;

namespace StableTune.Models;

/// <summary>Writes the folder of a tokenizer.</summary>
internal static class TokenizerFolderWriter
{
    private static readonly string[] SpecialTokens = ["bos_token", "eos_token", "pad_token", "unk_token"];

    /// <summary>Writes vocabulary, merges and configuration; a source's files are copied.</summary>
    /// <param name="folder">The folder to write.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="source">The source's folder; null, or one that is not there, for none.</param>
    public static void Write(string folder, ITextTokenizer tokenizer, string? source)
    {
        if (source is not null && Directory.Exists(source)) FolderFiles.Copy(source, folder);
        else if (tokenizer is ClipTokenizer clip) WriteNew(folder, clip);
        else throw new InvalidOperationException($"A tokenizer of class {tokenizer.GetType().Name} can only be saved as a copy of the folder it was loaded from, and there is none.");
        if (tokenizer.AddedTokens.Count == 0) return;
        var added = new JsonObject();
        foreach (var (token, id) in tokenizer.AddedTokens.OrderBy(entry => entry.Value)) added.Add(token, id);
        AtomicFile.WriteText(Path.Combine(folder, "added_tokens.json"), JsonTexts.Text(added));
    }

    private static void WriteNew(string folder, ClipTokenizer tokenizer)
    {
        tokenizer.Vocabulary.Write(folder);
        var config = JsonTexts.Template("tokenizer");
        config["pad_token"] = tokenizer.Vocabulary.Ids.First(entry => entry.Value == tokenizer.PadId).Key;
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), JsonTexts.Text(config));
        var special = new JsonObject();
        foreach (var key in SpecialTokens) special.Add(key, config[key]!.DeepClone());
        AtomicFile.WriteText(Path.Combine(folder, "special_tokens_map.json"), JsonTexts.Text(special));
    }
}
