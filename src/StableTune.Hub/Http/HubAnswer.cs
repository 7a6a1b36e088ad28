using System.IO.Compression;

namespace StableTune.Hub;

/// <summary>The answer at the end of all redirections, with what the hub itself said on the way to it.</summary>
internal sealed class HubAnswer(HttpResponseMessage response, Uri address, HubHeaders headers) : IDisposable
{
    public HttpResponseMessage Response { get; } = response;

    /// <summary>Where the answer came from.</summary>
    public Uri Address { get; } = address;

    public HubHeaders Headers { get; } = headers;

    /// <summary>Whether the content is compressed: then its length on the wire says nothing.</summary>
    public bool IsEncoded => Response.Content.Headers.ContentEncoding.Any(e =>
        !string.Equals(e, "identity", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the content is a web page: a log-in, a proxy's notice.</summary>
    public bool IsWebPage => Response.Content.Headers.ContentType?.MediaType is { } type
        && type.Equals("text/html", StringComparison.OrdinalIgnoreCase);

    /// <summary>The content, decompressed. Some proxies compress although we ask them not to.</summary>
    public async Task<Stream> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            var stream = await Response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            foreach (var encoding in Response.Content.Headers.ContentEncoding.Reverse()) stream = Decoded(stream, encoding);
            return stream;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new TransientFault($"The connection broke ({e.Message.TrimEnd('.')}).", e);
        }
    }

    public void Dispose() => Response.Dispose();

    private static Stream Decoded(Stream stream, string encoding) => encoding.ToUpperInvariant() switch
    {
        "IDENTITY" => stream,
        "GZIP" or "X-GZIP" => new GZipStream(stream, CompressionMode.Decompress),
        "DEFLATE" => new ZLibStream(stream, CompressionMode.Decompress),
        "BR" => new BrotliStream(stream, CompressionMode.Decompress),
        _ => throw new TransientFault($"The answer is compressed as \"{encoding}\", which was not asked for."),
    };
}

/// <summary>What the hub's own answers say about a file. What other hosts say, to which it redirects, does not count.</summary>
/// <param name="Commit">The commit the answer belongs to.</param>
/// <param name="LinkedId">The file's checksum, without quotes.</param>
/// <param name="LinkedSize">The file's length in bytes.</param>
internal sealed record HubHeaders(string? Commit = null, string? LinkedId = null, long? LinkedSize = null)
{
    public HubHeaders And(HttpResponseMessage response) => new(
        First(response, "X-Repo-Commit") ?? Commit,
        First(response, "X-Linked-ETag") is { } tag ? Unquoted(tag) : LinkedId,
        long.TryParse(First(response, "X-Linked-Size"), System.Globalization.CultureInfo.InvariantCulture, out var size) ? size
            : LinkedSize);

    public static string? First(HttpResponseMessage response, string header) =>
        response.Headers.TryGetValues(header, out var values) ? values.FirstOrDefault() : null;

    private static string Unquoted(string tag) => (tag.StartsWith("W/", StringComparison.Ordinal) ? tag[2..] : tag).Trim('"');
}
