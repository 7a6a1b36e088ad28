using System.Runtime.InteropServices;
using NetVips;

namespace StableTune.Imaging;

/// <summary>
/// From libvips' bands to RGB or RGBA of 8 bits, by Pillow's rules, a few rows at a time: no picture lives in memory twice.
/// </summary>
internal sealed class VipsPixels
{
    /// <summary>Small enough for arrays that are collected cheaply.</summary>
    private const int StripBytes = 1 << 16;

    private readonly Image _image;
    private readonly ImageHeader _header;
    private readonly int _channels, _colors, _bytes;

    /// <exception cref="InvalidDataException">The decoder has another idea of the size, or the values are of a kind that is not
    /// read.</exception>
    internal VipsPixels(Image image, ImageHeader header, int denominator, int channels)
    {
        (_image, _header, _channels) = (image, header, channels);
        var size = header.StoredSize.Reduced(denominator);
        if ((image.Width, image.Height) != (size.Width, size.Height))
            throw new InvalidDataException($"the {header.Format} data are damaged:"
                + $" the header says {size}, the decoder {image.Width}x{image.Height}");
        _bytes = image.Format switch
        {
            Enums.BandFormat.Uchar => 1,
            Enums.BandFormat.Ushort => 2,
            var other => throw OfType(other),
        };
        _colors = image.Bands switch
        {
            1 or 2 => 1,
            3 or 4 => image.Interpretation == Enums.Interpretation.Cmyk ? 4 : 3,
            var other => throw OfBands(other),
        };
    }

    private bool HasAlpha => _image.Bands > _colors;

    internal void HandOn(PixelRowsReceiver receive)
    {
        var rows = Math.Max(1, StripBytes / (_image.Width * _image.Bands * _bytes));
        var isDone = _image.Bands == _channels && _colors == 3 && (_channels == 3 || _header.HasAlpha);
        var converted = isDone ? [] : new byte[rows * _image.Width * _channels];
        using var region = Region.New(_image);
        for (var y = 0; y < _image.Height; y += rows)
        {
            var count = Math.Min(rows, _image.Height - y);
            ReadOnlySpan<byte> strip = region.Fetch(0, y, _image.Width, count);
            if (_bytes == 2) strip = ToEightBits(MemoryMarshal.Cast<byte, ushort>(strip));
            if (!isDone)
            {
                Convert(strip, converted);
                strip = converted.AsSpan(0, count * _image.Width * _channels);
            }

            receive(y, strip);
        }
    }

    /// <summary>Values keep their high byte.</summary>
    private static byte[] ToEightBits(ReadOnlySpan<ushort> values)
    {
        var result = new byte[values.Length];
        for (var i = 0; i < result.Length; i++) result[i] = (byte)(values[i] >> 8);
        return result;
    }

    private void Convert(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int at = 0, place = 0; at < from.Length; at += _image.Bands, place += _channels)
        {
            var pixel = to.Slice(place, _channels);
            if (_colors == 1) (pixel[0], pixel[1], pixel[2]) = (from[at], from[at], from[at]);
            else if (_colors == 3) (pixel[0], pixel[1], pixel[2]) = (from[at], from[at + 1], from[at + 2]);
            else for (var i = 0; i < 3; i++) pixel[i] = Ink(from[at + i], black: from[at + 3]);
            if (_channels == 4) pixel[3] = HasAlpha && _header.HasAlpha ? from[at + _colors] : byte.MaxValue;
        }
    }

    /// <summary>What an ink and black leave of the paper's 255, as Pillow rounds it.</summary>
    private static byte Ink(byte ink, byte black)
    {
        var (paper, product) = (byte.MaxValue - black, (ink * (byte.MaxValue - black)) + 128);
        return (byte)(paper - (((product >> 8) + product) >> 8));
    }

    private InvalidDataException OfType(Enums.BandFormat type)
        => new($"the {_header.Format} holds values of the type {type}; whole numbers of 8 and 16 bits are read");

    private InvalidDataException OfBands(int bands)
        => new($"the {_header.Format} holds {bands} values a pixel; 1 (grey) to 4 (colours and alpha, or inks) are read");
}
