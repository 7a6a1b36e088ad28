using SkiaSharp;

namespace StableTune.Imaging;

/// <summary>
/// One file that Skia decodes as RGBA, colours as stored: no colour space, so that profiles are not applied, and alpha not multiplied.
/// </summary>
internal sealed unsafe class SkiaDecoder : IDisposable
{
    private const int Rgba = 4;

    private readonly ImageHeader _header;
    private readonly SKImageInfo _info;
    private readonly SKData _data;
    private readonly SKCodec? _codec;

    /// <param name="file">The file; stays where it is until the decoder is disposed.</param>
    /// <param name="length">Bytes of the file.</param>
    /// <param name="header">What its header says.</param>
    /// <param name="denominator">Divides both sides, rounded up.</param>
    /// <exception cref="InvalidDataException">Skia cannot begin, or has another idea of the size.</exception>
    internal SkiaDecoder(byte* file, int length, ImageHeader header, int denominator)
    {
        var size = header.StoredSize.Reduced(denominator);
        _header = header;
        _info = new(size.Width, size.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        _data = SKData.Create((nint)file, length);
        _codec = SKCodec.Create(_data);
        var found = _codec?.Info.Size;
        if (found == new SKSizeI(header.StoredSize.Width, header.StoredSize.Height)) return;
        Dispose();
        throw found is { } other ? Damaged($"the header says {header.StoredSize}, the decoder {other.Width}x{other.Height}") : GaveUp();
    }

    /// <summary>Whether the file holds no alpha.</summary>
    internal bool IsOpaque => _codec!.Info.AlphaType == SKAlphaType.Opaque;

    /// <summary>Decodes the whole picture.</summary>
    internal void ReadAll(Span<byte> pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, _info.BytesSize64);
        fixed (byte* target = pixels)
            if (_codec!.GetPixels(_info, (nint)target) != SKCodecResult.Success) throw GaveUp();
    }

    /// <summary>Begins to decode row by row.</summary>
    internal void BeginRows()
    {
        if (_codec!.StartScanlineDecode(_info) != SKCodecResult.Success) throw GaveUp();
    }

    /// <summary>Decodes the next rows.</summary>
    internal void ReadRows(Span<byte> pixels, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, (long)rows * _info.Width * Rgba);
        fixed (byte* target = pixels)
            if (_codec!.GetScanlines((nint)target, rows, _info.Width * Rgba) != rows) throw GaveUp();
    }

    public void Dispose()
    {
        _codec?.Dispose();
        _data.Dispose();
    }

    private InvalidDataException GaveUp() => Damaged("the decoder gave up");

    private InvalidDataException Damaged(string why) => new($"the {_header.Format} data are damaged: {why}");
}
