using System.Globalization;
using System.Text.Json;

namespace StableTune.Models;

/// <summary>The settings of a tokenizer folder in the Hugging Face layout, whatever the kind of tokenizer. Values that are missing are
/// null.</summary>
internal sealed class TokenizerFiles
{
    private const string Remedy = "Take the tokenizer folder from the model's repository again.";

    // An id is a row of an embedding table; a larger one cannot be meant.
    private const int LargestId = 100_000_000;

    private readonly JsonElement? _config, _special;
    private readonly Lazy<JsonElement?> _fast;

    /// <summary>Reads what there is of <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c>.</summary>
    /// <exception cref="InvalidFileException">The folder is missing, or a file is corrupt.</exception>
    public TokenizerFiles(string folder)
    {
        Folder = folder;
        if (!Directory.Exists(folder))
            throw new InvalidFileException(
                folder, "the tokenizer folder is missing.",
                    "A model folder has a folder \"tokenizer\" with the vocabulary of its text encoder.");
        _config = ReadObject(PathOf("tokenizer_config.json"));
        _special = ReadObject(PathOf("special_tokens_map.json"));
        _fast = new(() => ReadObject(PathOf("tokenizer.json")));
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary><c>tokenizer.json</c>, which holds a whole tokenizer and megabytes, and is read when asked for; null when
    /// missing.</summary>
    /// <exception cref="InvalidFileException">The file is corrupt.</exception>
    public JsonElement? Fast => _fast.Value;

    /// <summary>A file of the folder.</summary>
    public string PathOf(string file) => Path.Combine(Folder, file);

    /// <summary>A special token such as "pad_token": a text, or an object with its content.</summary>
    public string? Token(string key) => TokenAndFile(key)?.Token;

    /// <summary>A special token and the file that names it; null where none does.</summary>
    public (string Token, string File)? TokenAndFile(string key)
    {
        foreach (var (source, file) in new[] { (_special, "special_tokens_map.json"), (_config, "tokenizer_config.json") })
        {
            if (Property(source, key) is not { } token) continue;
            if (Property(token, "content") is { } content) token = content;
            return token.ValueKind == JsonValueKind.String && token.GetString() is { Length: > 0 } text
                ? (text, file)
                : throw Wrong(file, key, token, "a token");
        }

        return null;
    }

    /// <summary>A setting of <c>tokenizer_config.json</c> that is true or false.</summary>
    public bool? Flag(string key) =>
        Property(_config, key) is { } value ? FlagOf(value) ?? throw Wrong("tokenizer_config.json", key, value, "true or false") : null;

    /// <summary>A true or false inside <c>tokenizer.json</c>, such as ("normalizer", "lowercase").</summary>
    public bool? FastFlag(string section, string key)
    {
        if (Property(Property(Fast, section), key) is not { } value) return null;
        return FlagOf(value) ?? throw Wrong("tokenizer.json", $"{section}.{key}", value, "true or false");
    }

    /// <summary>The longest row; null for none, which files also write as a number beyond all bounds.</summary>
    public int? MaxLength
    {
        get
        {
            if (Property(_config, "model_max_length") is not { } value) return null;
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number) || !(number >= 3))
                throw Wrong("tokenizer_config.json", "model_max_length", value, "a number from 3");
            return number <= LargestId ? (int)number : null;
        }
    }

    /// <summary>Whole words with ids of their own, from all files that name some, without those of the vocabulary.</summary>
    /// <param name="vocabulary">The id of each token.</param>
    /// <param name="ofFast">Whether to heed those of <c>tokenizer.json</c>.</param>
    public Dictionary<string, int> AddedTokens(IReadOnlyDictionary<string, int> vocabulary, bool ofFast = true)
    {
        var added = new Dictionary<string, int>(StringComparer.Ordinal);
        if (ReadObject(PathOf("added_tokens.json")) is { } own)
            foreach (var entry in own.EnumerateObject())
                added[entry.Name] = IdOf(entry.Value) ?? throw Wrong("added_tokens.json", entry.Name, entry.Value, "an id");
        if (Property(_config, "added_tokens_decoder") is { ValueKind: JsonValueKind.Object } decoder)
            foreach (var entry in decoder.EnumerateObject())
                added.TryAdd(
                    Content(entry.Value, "tokenizer_config.json"),
                    int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id <= LargestId
                        ? id : throw Wrong("tokenizer_config.json", "added_tokens_decoder." + entry.Name, entry.Value,
                            "a token under its id"));
        if (ofFast && Property(Fast, "added_tokens") is { ValueKind: JsonValueKind.Array } list)
            foreach (var entry in list.EnumerateArray())
                added.TryAdd(Content(entry, "tokenizer.json"), IdOf(Property(entry, "id"))
                    ?? throw Wrong("tokenizer.json", "added_tokens", entry, "tokens with ids"));
        foreach (var token in added.Keys.Where(token => token.Length == 0 || vocabulary.ContainsKey(token)).ToArray()) added.Remove(token);
        return added;
    }

    /// <summary>The kind of <c>tokenizer.json</c>'s model, such as "WordPiece"; null where there is no such file or it names
    /// none.</summary>
    public string? FastKind => Property(Property(Fast, "model"), "type") is { ValueKind: JsonValueKind.String } kind ? kind.GetString()
        : null;

    /// <summary>The vocabulary of <c>tokenizer.json</c>: a map of tokens to ids.</summary>
    /// <exception cref="InvalidFileException">There is none.</exception>
    public Dictionary<string, int> FastVocabulary()
    {
        var path = PathOf("tokenizer.json");
        return Property(Property(Fast, "model"), "vocab") is { ValueKind: JsonValueKind.Object } vocabulary
            ? Ids(path, vocabulary)
            : throw new InvalidFileException(path, "\"model\" has no \"vocab\" of tokens and ids.", Remedy);
    }

    /// <summary>The merges of <c>tokenizer.json</c>, best first: each is "a b", since version 0.20 of the library that writes it ["a",
    /// "b"].</summary>
    /// <exception cref="InvalidFileException">There are none.</exception>
    public List<string> FastMerges()
    {
        if (FastModel("merges") is not { ValueKind: JsonValueKind.Array } list)
            throw new InvalidFileException(PathOf("tokenizer.json"), "\"model\" has no list of \"merges\".", Remedy);
        var merges = new List<string>(list.GetArrayLength());
        foreach (var entry in list.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.String) merges.Add(entry.GetString()!);
            else if (entry.ValueKind == JsonValueKind.Array && entry.GetArrayLength() == 2
                && entry.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String))
                merges.Add($"{entry[0].GetString()} {entry[1].GetString()}");
            else throw Wrong("tokenizer.json", "merges", entry, "two tokens");
        }

        return merges;
    }

    /// <summary>A value inside the model of <c>tokenizer.json</c>; null when missing.</summary>
    public JsonElement? FastModel(string key) => Property(Property(Fast, "model"), key);

    /// <summary>A file of tokens and ids.</summary>
    /// <exception cref="InvalidFileException">It is missing or corrupt.</exception>
    public static Dictionary<string, int> ReadIds(string path) =>
        ReadObject(path) is { } ids ? Ids(path, ids) : throw new InvalidFileException(path, "the file is missing.", Remedy);

    /// <summary>What a message says of a value that is something else than it should.</summary>
    public InvalidFileException Wrong(string file, string key, JsonElement value, string expected)
    {
        var text = value.GetRawText();
        return new InvalidFileException(
            PathOf(file), $"\"{key}\" is {(text.Length <= 60 ? text : text[..60] + "...")} instead of {expected}.", Remedy);
    }

    /// <summary>A property of an object; null when it is missing or null, or when the value is no object.</summary>
    public static JsonElement? Property(JsonElement? value, string key) =>
        value is { ValueKind: JsonValueKind.Object } found && found.TryGetProperty(key, out var property)
            && property.ValueKind != JsonValueKind.Null ? property : null;

    private static Dictionary<string, int> Ids(string path, JsonElement map)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var taken = new HashSet<int>();
        foreach (var entry in map.EnumerateObject())
        {
            if (IdOf(entry.Value) is not { } id || !taken.Add(id))
                throw new InvalidFileException(
                    path, $"the id of token \"{entry.Name}\" is {entry.Value.GetRawText()}; ids are whole numbers from 0, each used once.",
                        Remedy);
            ids[entry.Name] = id;
        }

        return ids;
    }

    private static bool? FlagOf(JsonElement value) =>
        value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };

    private static int? IdOf(JsonElement? value) =>
        value is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var id) && id is >= 0 and <= LargestId ? id : null;

    private string Content(JsonElement token, string file) =>
        Property(token, "content") is { ValueKind: JsonValueKind.String } content ? content.GetString()!
            : throw Wrong(file, "added tokens", token, "tokens with \"content\"");

    private static JsonElement? ReadObject(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using var document = JsonDocument.Parse(TextFile.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidFileException(path, "not a JSON object.", Remedy);
            CheckTexts(document.RootElement);
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)      // the latter for half a surrogate pair
        {
            throw new InvalidFileException(path, "not JSON: " + e.Message, Remedy, e);
        }
    }

    /// <summary>The parser lets texts pass that are no Unicode, and throws when they are asked for: better here than later.</summary>
    private static void CheckTexts(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String) value.GetString();
        else if (value.ValueKind == JsonValueKind.Array) foreach (var item in value.EnumerateArray()) CheckTexts(item);
        if (value.ValueKind != JsonValueKind.Object) return;
        foreach (var entry in value.EnumerateObject())
        {
            _ = entry.Name;
            CheckTexts(entry.Value);
        }
    }
}
