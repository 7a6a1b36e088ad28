namespace StableTune.Models;

/// <summary>Tells which tokenizer a folder holds, by its files, whatever its configuration calls it.</summary>
internal static class SequenceTokenizerFolder
{
    private const string Remedy = "WordPiece (vocab.txt, or tokenizer.json) and byte-level BPE (vocab.json and merges.txt, or "
        + "tokenizer.json) can be read.";

    // What tokenizers keep their vocabulary in that cannot be read.
    private static readonly string[] SentencePieceFiles = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model"];

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidFileException">The folder is missing, holds none that can be read, or a file is corrupt.</exception>
    public static SequenceTokenizer Read(string folder)
    {
        if (File.Exists(Path.Combine(folder, "vocab.txt"))) return BertTokenizer.FromFolder(folder);
        if (File.Exists(Path.Combine(folder, "vocab.json"))) return RobertaTokenizer.FromFolder(folder);
        var files = new TokenizerFiles(folder);
        switch (files.FastKind)
        {
            case "WordPiece": return BertTokenizer.FromFolder(folder);
            case "BPE": return RobertaTokenizer.FromFolder(folder);
            case { } other: throw new InvalidFileException(
                files.PathOf("tokenizer.json"), $"the tokenizer is of kind {other}, which is not supported.", Remedy);
        }

        if (Array.Find(SentencePieceFiles, file => File.Exists(files.PathOf(file))) is { } sentencePiece)
            throw new InvalidFileException(
                files.PathOf(sentencePiece), "the tokenizer is a SentencePiece model, which is not supported.", Remedy);
        throw new InvalidFileException(files.PathOf("vocab.txt"), "the folder holds no vocabulary.", Remedy);
    }
}
