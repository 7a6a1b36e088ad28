using System.Text.Json;

namespace StableTune.Models;

/// <summary>Reads the tokenizer folder of a model: vocabulary, pad token, added words.</summary>
internal static class ClipTokenizerFolder
{
    /// <summary>The tokenizer that the folder describes.</summary>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static ClipTokenizer Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InvalidFileException(
                folder, "the tokenizer folder is missing.", "A model folder has a folder \"tokenizer\" with vocab.json and merges.txt, or with tokenizer.json.");
        var vocabulary = ClipVocabulary.FromFolder(folder);
        var added = ReadAddedTokens(Path.Combine(folder, "added_tokens.json"));
        foreach (var (token, id) in ReadConfiguredTokens(Path.Combine(folder, "tokenizer_config.json"))) added.TryAdd(token, id);
        if (!File.Exists(Path.Combine(folder, "vocab.json")))
            foreach (var (token, id) in new TokenizerFiles(folder).AddedTokens(vocabulary.Ids)) added.TryAdd(token, id);
        foreach (var token in added.Keys.Where(vocabulary.Ids.ContainsKey).ToArray()) added.Remove(token);

        var (padToken, origin) = ReadPadToken(folder);
        if (!added.ContainsKey(padToken) && !vocabulary.Ids.ContainsKey(padToken))
            throw new InvalidFileException(
                origin, $"the pad token is \"{padToken}\", which the vocabulary does not have.",
                "Take the tokenizer folder from one model.");
        return new ClipTokenizer(vocabulary, padToken, added);
    }

    private static (string Token, string Origin) ReadPadToken(string folder)
    {
        foreach (var name in (string[])["special_tokens_map.json", "tokenizer_config.json"])
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path)) continue;
            using var document = Parse(path);
            if (!document.RootElement.TryGetProperty("pad_token", out var token)) continue;
            // Either the token itself or a description of it.
            if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content)) token = content;
            if (token.ValueKind == JsonValueKind.String) return (token.GetString()!, path);
        }

        return (ClipVocabulary.EndToken, folder);   // as CLIPTokenizer's own default
    }

    private static Dictionary<string, int> ReadAddedTokens(string path)
    {
        var added = new Dictionary<string, int>(StringComparer.Ordinal);
        if (!File.Exists(path)) return added;
        using var document = Parse(path);
        foreach (var entry in document.RootElement.EnumerateObject()) added[entry.Name] = Id(path, entry.Name, entry.Value);
        return added;
    }

    // "added_tokens_decoder": { "49408": { "content": "<cat>", ... } }
    private static List<(string Token, int Id)> ReadConfiguredTokens(string path)
    {
        var added = new List<(string, int)>();
        if (!File.Exists(path)) return added;
        using var document = Parse(path);
        if (!document.RootElement.TryGetProperty("added_tokens_decoder", out var tokens) || tokens.ValueKind != JsonValueKind.Object) return added;
        foreach (var entry in tokens.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Object || !entry.Value.TryGetProperty("content", out var content)
                || content.ValueKind != JsonValueKind.String || !int.TryParse(entry.Name, out var id) || id < 0)
                throw new InvalidFileException(
                    path, $"the entry \"{entry.Name}\" of added_tokens_decoder is no token with an id.",
                    "Take the tokenizer folder from the model's repository again.");
            added.Add((content.GetString()!, id));
        }

        return added;
    }

    private static int Id(string path, string token, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id >= 0
            ? id
            : throw new InvalidFileException(
                path, $"the id of token \"{token}\" is {value.GetRawText()}; ids are whole numbers from 0.",
                "Take the tokenizer folder from the model's repository again.");

    private static JsonDocument Parse(string path)
    {
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(TextFile.ReadAllBytes(path));
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        }
        catch (JsonException e)
        {
            throw new InvalidFileException(path, "not JSON: " + e.Message, "Take the file from the model's repository again.", e);
        }

        document.Dispose();
        throw new InvalidFileException(path, "not a JSON object.", "Take the file from the model's repository again.");
    }
}
