using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace StableTune.Hub;

/// <summary>Brings one large file to the hub's storage, in one piece or several, as the hub asks for it (Git LFS).</summary>
internal sealed class LfsUpload(HubWriting writing, HubName name, string revision, DownloadProgress progress)
{
    private const int MaxParts = 100_000;

    /// <summary>Uploads the file, unless the hub has it already.</summary>
    public async Task RunAsync(LargeFile file, CancellationToken cancellationToken)
    {
        var address = writing.Address($"{HubApi.Prefix(name)}{name.Repository}.git/info/lfs/objects/batch");
        var answer = await writing.PostLfsAsync(name, address, new JsonObject
        {
            ["operation"] = "upload", ["transfers"] = new JsonArray("basic", "multipart"), ["hash_algo"] = "sha256",
            ["ref"] = new JsonObject { ["name"] = revision },
            ["objects"] = new JsonArray(new JsonObject { ["oid"] = file.Sha256, ["size"] = file.File.Size }),
        }, new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
        var entry = Entry(answer, file);
        if (Part(entry, "error") is { } error)
            throw new HubException(HubFault.Refused, name.ToString(),
                $"The hub does not take {file.Path}{HubErrors.Quoted(HubJson.Text(error, "message"))}.",
                "Look at what it says; sizes and the room of an account are limited.");
        if (Part(entry, "actions") is not { } actions || Part(actions, "upload") is not { } upload)
        {
            progress.Add(Shown(file), file.File.Size, fetched: false);
            return;
        }

        var headers = Headers(upload, file);
        if (headers.TryGetValue("chunk_size", out var chunk))
            await PartsAsync(file, upload, headers, chunk, cancellationToken).ConfigureAwait(false);
        else
            await PutAsync(file, Href(upload, file), headers, 0, file.File.Size, cancellationToken).ConfigureAwait(false);
        if (Part(actions, "verify") is { } verify)
            await writing.PostLfsAsync(name, Href(verify, file), new JsonObject { ["oid"] = file.Sha256, ["size"] = file.File.Size },
                Headers(verify, file), cancellationToken).ConfigureAwait(false);
    }

    private async Task PartsAsync(LargeFile file, JsonElement upload, Dictionary<string, string> headers, string chunk,
        CancellationToken cancellationToken)
    {
        var addresses = headers.Where(header => int.TryParse(header.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var _))
            .OrderBy(header => int.Parse(header.Key, CultureInfo.InvariantCulture)).Select(header => header.Value).ToList();
        if (!long.TryParse(chunk, NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size < 1
            || addresses.Count > MaxParts || addresses.Count != (file.File.Size + size - 1) / size)
            throw HubJson.Odd(name,
                $"The hub wants {file.Path} ({file.File.Size} bytes) in {addresses.Count} parts of \"{ShortText.Of(chunk, 40)}\" bytes");
        var parts = new JsonArray();
        foreach (var (address, index) in addresses.Select((address, index) => (address, index)))
        {
            var from = index * size;
            var tag = await PutAsync(file, WebAddress(address, file), new Dictionary<string, string>(), from,
                Math.Min(size, file.File.Size - from), cancellationToken).ConfigureAwait(false)
                ?? throw HubJson.Odd(name, $"The storage gives no checksum for part {index + 1} of {file.Path}");
            parts.Add(new JsonObject { ["partNumber"] = index + 1, ["etag"] = tag });
        }

        await writing.PostLfsAsync(name, Href(upload, file), new JsonObject { ["oid"] = file.Sha256, ["parts"] = parts },
            new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
    }

    private Task<string?> PutAsync(LargeFile file, Uri address, IReadOnlyDictionary<string, string> headers, long from, long length,
        CancellationToken cancellationToken)
    {
        var sent = 0L;
        return writing.PutAsync(name, new HubRequest(HttpMethod.Put, address)
        {
            WithToken = false, Headers = headers,
            Body = alive => new PartContent(file.File, from, length, count =>
            {
                alive();
                sent += count;
                progress.Add(Shown(file), count);
            }),
        }, () =>
        {
            progress.Add(Shown(file), -sent);
            sent = 0;
        }, cancellationToken);
    }

    private JsonElement Entry(JsonElement answer, LargeFile file)
    {
        if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("objects", out var objects)
            && objects.ValueKind == JsonValueKind.Array && objects.GetArrayLength() == 1
            && string.Equals(HubJson.Text(objects[0], "oid"), file.Sha256, StringComparison.OrdinalIgnoreCase)) return objects[0];
        throw HubJson.Odd(name, $"The hub does not say where {file.Path} is to be uploaded to");
    }

    private static JsonElement? Part(JsonElement element, string property) =>
        element.TryGetProperty(property, out var part) && part.ValueKind == JsonValueKind.Object ? part : null;

    private Dictionary<string, string> Headers(JsonElement action, LargeFile file)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (Part(action, "header") is not { } given) return headers;
        foreach (var entry in given.EnumerateObject())
        {
            var value = entry.Value.ValueKind == JsonValueKind.Number ? entry.Value.GetRawText() : HubJson.Text(given, entry.Name);
            if (value is null || value.Any(char.IsControl))
                throw HubJson.Odd(name, $"The header \"{ShortText.Of(entry.Name, 40)}\" for the upload of {file.Path} is no text");
            headers[entry.Name] = value;
        }

        return headers;
    }

    private Uri Href(JsonElement action, LargeFile file) => WebAddress(HubJson.Text(action, "href"), file);

    /// <summary>An address that the hub gave. A hub that is reached securely must not send files elsewhere in the open.</summary>
    private Uri WebAddress(string? text, LargeFile file)
    {
        var endpoint = writing.Address("");
        if (!Uri.TryCreate(endpoint, text, out var address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0)
            throw HubJson.Odd(name, $"The hub gives no web address for the upload of {file.Path}");
        return endpoint.Scheme == "https" && address.Scheme == "http"
            ? throw HubJson.Odd(name, $"The hub wants {file.Path} to be sent over a connection that is not secure") : address;
    }

    private static HubFile Shown(LargeFile file) => new(file.Path, file.File.Size, file.Sha256);
}
