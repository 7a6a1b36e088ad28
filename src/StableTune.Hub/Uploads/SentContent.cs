using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace StableTune.Hub;

/// <summary>A stretch of a file as the body of a request, read as it is sent.</summary>
internal sealed class PartContent(HubUploadFile file, long from, long length, Action<int> sent) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        file.CopyAsync(from, length, async bytes =>
        {
            // In small pieces, each of which shows that the connection is alive.
            const int piece = 1 << 16;
            for (var at = 0; at < bytes.Length; at += piece)
            {
                var some = bytes[at..Math.Min(bytes.Length, at + piece)];
                await stream.WriteAsync(some, cancellationToken).ConfigureAwait(false);
                sent(some.Length);
            }
        }, cancellationToken);

    protected override bool TryComputeLength(out long size)
    {
        size = length;
        return true;
    }
}

/// <summary>
/// A commit as the hub takes it: a line of JSON for its summary, and one for each file, with the content of small ones. Written as it is
/// sent; nothing is held in memory.
/// </summary>
internal sealed class CommitContent : HttpContent
{
    private readonly List<(byte[] Text, HubUploadFile? Content)> _pieces = [];
    private readonly Action _sent;

    /// <param name="summary">The first line of the commit's message.</param>
    /// <param name="small">Files whose content is part of the commit, with their paths in the repository.</param>
    /// <param name="large">Files that were uploaded before.</param>
    /// <param name="sent">Called when bytes have gone out.</param>
    public CommitContent(string summary, IEnumerable<(string Path, HubUploadFile File)> small, IEnumerable<LargeFile> large, Action sent)
    {
        _sent = sent;
        Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        Add(Line("header", new JsonObject { ["summary"] = summary, ["description"] = "" }) + "\n");
        foreach (var (path, file) in small)
        {
            Add("{\"key\":\"file\",\"value\":{\"content\":\"");
            _pieces.Add(([], file));
            Add("\",\"path\":" + JsonValue.Create(path)!.ToJsonString() + ",\"encoding\":\"base64\"}}\n");
        }

        foreach (var file in large)
            Add(Line("lfsFile", new JsonObject
            {
                ["path"] = file.Path, ["algo"] = "sha256", ["oid"] = file.Sha256, ["size"] = file.File.Size,
            }) + "\n");
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        foreach (var (text, content) in _pieces)
        {
            await stream.WriteAsync(text, cancellationToken).ConfigureAwait(false);
            if (content is not null)
                await content.CopyAsync(0, content.Size, async bytes =>
                {
                    var encoded = new byte[Base64.GetMaxEncodedToUtf8Length(bytes.Length)];
                    Base64.EncodeToUtf8(bytes.Span, encoded, out _, out var written);
                    await stream.WriteAsync(encoded.AsMemory(0, written), cancellationToken).ConfigureAwait(false);
                    _sent();
                }, cancellationToken).ConfigureAwait(false);
            _sent();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _pieces.Sum(piece => piece.Text.Length + (piece.Content is { } file ? (file.Size + 2) / 3 * 4 : 0));
        return true;
    }

    private static string Line(string key, JsonObject value) => new JsonObject { ["key"] = key, ["value"] = value }.ToJsonString();

    private void Add(string text) => _pieces.Add((Encoding.UTF8.GetBytes(text), null));
}

/// <summary>A file that the hub keeps by its checksum.</summary>
/// <param name="Path">The path in the repository.</param>
/// <param name="File">The file.</param>
/// <param name="Sha256">Its checksum, hexadecimal.</param>
internal sealed record LargeFile(string Path, HubUploadFile File, string Sha256);
