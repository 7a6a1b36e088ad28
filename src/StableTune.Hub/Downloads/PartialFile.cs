using System.Security.Cryptography;
using System.Text;

namespace StableTune.Hub;

/// <summary>
/// A file on its way into the cache, <c>blobs/&lt;id&gt;.incomplete</c>: survives interruptions, is hashed while it grows, and gets its
/// name only when
/// length and checksum are right.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private readonly HubFile _file;
    private readonly string _blob;
    private readonly FileStream _stream;
    private IncrementalHash _hash;

    private PartialFile(HubFile file, string blob, FileStream stream)
    {
        (_file, _blob, _stream) = (file, blob, stream);
        _hash = Fresh();
    }

    /// <summary>The bytes that are there.</summary>
    public long Length { get; private set; }

    /// <summary>Takes up what an earlier attempt left, of this program or another one.</summary>
    /// <param name="file">The file as the hub lists it.</param>
    /// <param name="blob">Its final place.</param>
    /// <param name="cancellationToken">Ends the reading of what is there.</param>
    public static async Task<PartialFile> OpenAsync(HubFile file, string blob, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
        var stream = new FileStream(PathFor(blob), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1,
            FileOptions.Asynchronous);
        var partial = new PartialFile(file, blob, stream);
        try
        {
            await partial.TakeUpAsync(cancellationToken).ConfigureAwait(false);
            return partial;
        }
        catch
        {
            partial.Dispose();
            throw;
        }
    }

    public static string PathFor(string blob) => blob + ".incomplete";

    /// <summary>Adds bytes at the end.</summary>
    public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        _hash.AppendData(bytes.Span);
        Length += bytes.Length;
    }

    /// <summary>Forgets what is there.</summary>
    public void Restart()
    {
        _stream.SetLength(0);
        _stream.Position = 0;
        _hash.Dispose();
        (_hash, Length) = (Fresh(), 0);
    }

    /// <summary>The checksum of what is there, as the hub writes it.</summary>
    public string Checksum() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>Gives the file its name.</summary>
    public void Complete()
    {
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        File.Move(_stream.Name, _blob, overwrite: true);
    }

    public void Dispose()
    {
        _stream.Dispose();
        _hash.Dispose();
    }

    private async Task TakeUpAsync(CancellationToken cancellationToken)
    {
        if (_stream.Length > _file.Size) _stream.SetLength(0);   // not this file's
        var buffer = new byte[1 << 20];
        for (int count; (count = await _stream.ReadAsync(buffer, cancellationToken)
            .ConfigureAwait(false)) > 0; Length += count) _hash.AppendData(buffer, 0, count);
    }

    /// <summary>Large files are known by their SHA-256; the others as git knows them, by the SHA-1 of a header and the content.</summary>
    private IncrementalHash Fresh()
    {
        if (_file.Id.Length == 64) return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var git = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        git.AppendData(Encoding.ASCII.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"blob {_file.Size}\0")));
        return git;
    }
}
