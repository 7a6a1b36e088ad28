namespace StableTune.Models;

/// <summary>Reads the tokenizer folder of a model: vocabulary, pad token, added words.</summary>
internal static class ClipTokenizerFolder
{
    /// <summary>The tokenizer that the folder describes.</summary>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static ClipTokenizer Read(string folder)
    {
        var files = new TokenizerFiles(folder);
        var vocabulary = ClipVocabulary.FromFolder(folder);
        var added = files.AddedTokens(vocabulary.Ids, ofFast: !File.Exists(files.PathOf("vocab.json")));
        var (padToken, file) = files.TokenAndFile("pad_token") ?? (ClipVocabulary.EndToken, "");   // CLIPTokenizer's own default
        if (!added.ContainsKey(padToken) && !vocabulary.Ids.ContainsKey(padToken))
            throw new InvalidFileException(
                files.PathOf(file), $"the pad token is \"{padToken}\", which the vocabulary does not have.",
                "Take the tokenizer folder from one model.");
        return new ClipTokenizer(vocabulary, padToken, added);
    }
}
