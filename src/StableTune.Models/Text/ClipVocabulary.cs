using System.Text;
using System.Text.Json;

namespace StableTune.Models;

/// <summary>The tokens of a CLIP tokenizer with their ids, and its byte-pair merges in order of rank.</summary>
/// <remarks>
/// Ids as in OpenAI's CLIP (Radford et al. 2021, arXiv:2103.00020): 256 byte symbols, the same 256 with <c>&lt;/w&gt;</c>, one token a
/// merge, start, end.
/// </remarks>
public sealed class ClipVocabulary
{
    /// <summary>The token that begins every text.</summary>
    public const string StartToken = "<|startoftext|>";

    /// <summary>The token that ends every text.</summary>
    public const string EndToken = "<|endoftext|>";

    /// <summary>The number of merges of the full CLIP vocabulary; with them it has 49,408 tokens.</summary>
    public const int FullMergeCount = 48_894;

    /// <summary>What a symbol at the end of a word carries.</summary>
    internal const string EndOfWord = "</w>";

    // An id is a row of an embedding table; a larger one cannot be meant.
    private const int LargestId = 100_000_000;

    private static readonly Lazy<string[]> EmbeddedMerges = new(() => EmbeddedResource.ReadLines("clip-merges.txt.br"));
    private static readonly Lazy<ClipVocabulary> FullVocabulary = new(() => Embedded(FullMergeCount));

    private readonly Lazy<BytePairEncoder> _encoder;

    private ClipVocabulary(IReadOnlyDictionary<string, int> ids, IReadOnlyList<string> merges)
    {
        (Ids, Merges) = (ids, merges);
        _encoder = new(() => new BytePairEncoder(Ids, Merges, EndOfWord, EndToken));
    }

    /// <summary>The id of each token.</summary>
    public IReadOnlyDictionary<string, int> Ids { get; }

    /// <summary>The merges, best first, each as two tokens with a blank between them.</summary>
    public IReadOnlyList<string> Merges { get; }

    /// <summary>Encodes words; one for all tokenizers of this vocabulary, made when a first one asks for it.</summary>
    internal BytePairEncoder Encoder => _encoder.Value;

    /// <summary>The full vocabulary of CLIP ViT-L/14, as all Stable Diffusion models use it: 49,408 tokens.</summary>
    public static ClipVocabulary Full => FullVocabulary.Value;

    /// <summary>The vocabulary that the first merges of the full one give: 512 + <paramref name="mergeCount"/> + 2 tokens.</summary>
    /// <param name="mergeCount">0 to <see cref="FullMergeCount"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many merges.</exception>
    public static ClipVocabulary Embedded(int mergeCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mergeCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mergeCount, FullMergeCount);
        return Of(EmbeddedMerges.Value[..mergeCount]);
    }

    /// <summary>Learns a vocabulary of its own from texts, for a model that is trained from nothing: at most 512 + the merges + 2 tokens,
    /// numbered as CLIP's are; <see cref="Ids"/> says how many. Merges that make the same token count once. The same texts in the same
    /// numbers give the same vocabulary.</summary>
    /// <param name="texts">For instance the captions of all pictures. Words are split as CLIP's tokenizer splits them.</param>
    /// <param name="mergeCount">The most merges that are learnt; there are fewer once each word is one token.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative, or greater than CLIP's own
    /// (<see cref="FullMergeCount"/>).</exception>
    public static ClipVocabulary Learn(IEnumerable<string> texts, int mergeCount)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfNegative(mergeCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mergeCount, FullMergeCount);
        return Of(MergeLearner.Learn(texts, mergeCount));
    }

    /// <summary>The vocabulary of merges: byte symbols, the same at the end of a word, one token a merge, start, end.</summary>
    private static ClipVocabulary Of(IReadOnlyList<string> merges)
    {
        var ids = new Dictionary<string, int>(merges.Count + 514, StringComparer.Ordinal);
        foreach (var symbol in ByteSymbols.InVocabularyOrder) ids.Add(symbol.ToString(), ids.Count);
        foreach (var symbol in ByteSymbols.InVocabularyOrder) ids.Add(symbol + EndOfWord, ids.Count);
        foreach (var merge in merges) ids.TryAdd(merge.Remove(merge.IndexOf(' ', StringComparison.Ordinal), 1), ids.Count);
        ids.Add(StartToken, ids.Count);
        ids.Add(EndToken, ids.Count);
        return new ClipVocabulary(ids, merges);
    }

    /// <summary>Writes <c>vocab.json</c> and <c>merges.txt</c> of the first merges of the full vocabulary, in the Hugging Face
    /// layout.</summary>
    /// <param name="folder">Created when missing.</param>
    /// <param name="mergeCount">See <see cref="Embedded"/>; 486 gives the thousand tokens of a tiny test model.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many merges.</exception>
    /// <exception cref="IOException">The files cannot be written.</exception>
    public static void WriteFiles(string folder, int mergeCount = FullMergeCount) => Embedded(mergeCount).Write(folder);

    /// <summary>Reads the vocabulary of a tokenizer folder.</summary>
    /// <param name="folder">Holds <c>vocab.json</c> and <c>merges.txt</c>, or a <c>tokenizer.json</c> of kind BPE.</param>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or the two do not belong together.</exception>
    public static ClipVocabulary FromFolder(string folder)
    {
        var vocabularyPath = Path.Combine(folder, "vocab.json");
        var mergesPath = Path.Combine(folder, "merges.txt");
        var fastPath = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(vocabularyPath) && File.Exists(fastPath)) return Checked(fastPath, new TokenizerFiles(folder));
        var ids = ReadIds(vocabularyPath);
        return Checked(vocabularyPath, ids, ReadMerges(mergesPath, ids));
    }

    private static ClipVocabulary Checked(string path, TokenizerFiles files)
    {
        if (files.FastKind is not (null or "BPE"))
            throw new InvalidFileException(
                path, $"the tokenizer is of kind {files.FastKind}, not byte-pair encoding.",
                "Take the tokenizer folder of the model; CLIP's is of kind BPE.");
        var (ids, merges) = (files.FastVocabulary(), files.FastMerges());
        return RobertaTokenizer.MissingIn(ids, merges) is { } fault
            ? throw new InvalidFileException(path, fault, "Take the file from the model's repository again.") : Checked(path, ids, merges);
    }

    private static ClipVocabulary Checked(string path, Dictionary<string, int> ids, IReadOnlyList<string> merges)
    {
        foreach (var token in (string[])[StartToken, EndToken])
            if (!ids.ContainsKey(token))
                throw new InvalidFileException(
                    path, $"the token \"{token}\" is missing.",
                    "This is not the vocabulary of a CLIP tokenizer; take the tokenizer folder of the model.");
        return new ClipVocabulary(ids, merges);
    }

    /// <summary>Writes <c>vocab.json</c> and <c>merges.txt</c> in the Hugging Face layout.</summary>
    /// <param name="folder">Created when missing.</param>
    /// <exception cref="IOException">The files cannot be written.</exception>
    public void Write(string folder) => Write(folder, Ids, Merges);

    /// <summary>Writes tokens and merges as <see cref="Write(string)"/> does.</summary>
    internal static void Write(string folder, IReadOnlyDictionary<string, int> ids, IReadOnlyList<string> merges)
    {
        var json = new StringBuilder("{");
        foreach (var (token, id) in ids.OrderBy(entry => entry.Value))
        {
            if (json.Length > 1) json.Append(", ");
            json.Append('"').Append(token.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal));
            json.Append("\": ").Append(id);
        }

        AtomicFile.WriteText(Path.Combine(folder, "vocab.json"), json.Append('}').ToString());
        AtomicFile.WriteText(Path.Combine(folder, "merges.txt"), $"#version: 0.2\n{string.Join('\n', merges)}\n");
    }

    private static Dictionary<string, int> ReadIds(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(TextFile.ReadAllBytes(path));
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            var taken = new HashSet<int>();
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id is < 0 or > LargestId
                    || !taken.Add(id))
                    throw new InvalidFileException(
                        path,
                        $"the id of token \"{entry.Name}\" is {entry.Value.GetRawText()}; ids are whole numbers from 0, each used once.",
                        "Take the file from the model's repository again.");
                ids[entry.Name] = id;
            }

            return ids;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidFileException(
                path, "not a JSON object of tokens and ids: " + e.Message, "Take the file from the model's repository again.", e);
        }
    }

    private static string[] ReadMerges(string path, Dictionary<string, int> ids)
    {
        var lines = Encoding.UTF8.GetString(TextFile.ReadAllBytes(path)).Split('\n');
        var merges = new List<string>(lines.Length);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd('\r');
            if (line.Length == 0 || (i == 0 && line.StartsWith("#version", StringComparison.Ordinal))) continue;
            var blank = line.IndexOf(' ', StringComparison.Ordinal);
            if (blank <= 0 || blank == line.Length - 1 || line.IndexOf(' ', blank + 1) >= 0)
                throw new InvalidFileException(
                    path, $"line {i + 1} is \"{Shorten(line)}\" instead of two tokens with a blank between them.",
                    "Take the file from the model's repository again.");
            foreach (var token in (string[])[line[..blank], line[(blank + 1)..], line.Remove(blank, 1)])
                if (!ids.ContainsKey(token))
                    throw new InvalidFileException(
                        path, $"line {i + 1} merges \"{Shorten(line)}\", but vocab.json has no token \"{Shorten(token)}\".",
                        "Take vocab.json and merges.txt from the same model.");
            merges.Add(line);
        }

        return [.. merges];
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
