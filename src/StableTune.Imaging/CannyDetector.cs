namespace StableTune.Imaging;

/// <summary>
/// Canny's edges in OpenCV's integers: gradients of three rows at a time, thinned to ridges, then ridges followed from their strong
/// places.
/// </summary>
internal sealed class CannyDetector
{
    /// <summary>What a place of the map is: on no ridge, on a ridge that may continue an edge, on an edge.</summary>
    private const byte Maybe = 0, None = 1, Edge = 2;

    /// <summary>The tangent of 22.5 degrees, with 15 fractional bits.</summary>
    private const int Tangent = 13573, Bits = 15;

    private readonly int _width, _height, _low, _high, _mapStride;
    private readonly byte[] _map;                                            // with a border of one place around
    private readonly Stack<int> _strong = new();

    internal CannyDetector(int width, int height, int low, int high)
    {
        (_width, _height, _low, _high, _mapStride) = (width, height, low, high, width + 2);
        _map = new byte[checked((width + 2) * (height + 2))];
        _map.AsSpan().Fill(None);
    }

    internal PixelImage Run(PixelImage image)
    {
        var grey = Grey(image);
        Gradients above = new(_width), here = new(_width), below = new(_width);
        here.Fill(grey, 0, _width, _height);
        for (var y = 0; y < _height; y++)
        {
            if (y + 1 < _height) below.Fill(grey, y + 1, _width, _height);
            else below.Clear();
            Thin(above.Magnitudes, here, below.Magnitudes, (y + 1) * _mapStride);
            (above, here, below) = (here, below, above);
        }

        Follow();
        var result = new PixelImage(_width, _height);
        for (var y = 0; y < _height; y++)
        {
            var row = result.Row(y);
            var map = _map.AsSpan(((y + 1) * _mapStride) + 1, _width);
            for (var x = 0; x < map.Length; x++)
                if (map[x] == Edge) row.Slice(3 * x, 3).Fill(255);
        }

        return result;
    }

    private static byte[] Grey(PixelImage image)
    {
        const int red = 9798, green = 19235, blue = 3735;                    // of 2^15
        var (grey, pixels, step) = (new byte[image.Width * image.Height], image.Pixels, image.Channels);
        for (int i = 0, at = 0; i < grey.Length; i++, at += step)
            grey[i] = (byte)(((pixels[at] * red) + (pixels[at + 1] * green) + (pixels[at + 2] * blue) + (1 << 14)) >> 15);
        return grey;
    }

    /// <summary>Marks where the gradient of a row is the greatest across the edge.</summary>
    private void Thin(ReadOnlySpan<int> above, Gradients here, ReadOnlySpan<int> below, int map)
    {
        ReadOnlySpan<int> row = here.Magnitudes;
        for (var x = 1; x <= _width; x++)
        {
            var magnitude = row[x];
            if (magnitude <= _low || !IsRidge(above, here, below, x, magnitude)) continue;
            if (magnitude > _high) Push(map + x);
            else _map[map + x] = Maybe;
        }
    }

    // Three directions: across, down, and the diagonal that the signs tell. The first of two equal ones counts.
    private static bool IsRidge(ReadOnlySpan<int> above, Gradients here, ReadOnlySpan<int> below, int x, int magnitude)
    {
        ReadOnlySpan<int> row = here.Magnitudes;
        int across = here.Across[x], down = here.Down[x];
        var (steep, flat) = (Math.Abs(down) << Bits, Math.Abs(across) * Tangent);
        if (steep < flat) return magnitude > row[x - 1] && magnitude >= row[x + 1];
        if (steep > flat + (Math.Abs(across) << (Bits + 1))) return magnitude > above[x] && magnitude >= below[x];
        var side = (across ^ down) < 0 ? -1 : 1;
        return magnitude > above[x - side] && magnitude > below[x + side];
    }

    /// <summary>From each strong place along the ridges that touch it.</summary>
    private void Follow()
    {
        while (_strong.TryPop(out var at))
            for (var row = at - _mapStride; row <= at + _mapStride; row += _mapStride)
                for (var next = row - 1; next <= row + 1; next++)
                    if (_map[next] == Maybe) Push(next);
    }

    private void Push(int at)
    {
        _map[at] = Edge;
        _strong.Push(at);
    }

    /// <summary>Sobel's gradients of one row, with a place before and behind it; the picture's edges are repeated outside.</summary>
    private sealed class Gradients(int width)
    {
        internal int[] Across { get; } = new int[width + 2];

        internal int[] Down { get; } = new int[width + 2];

        /// <summary>The sums of both, without signs; 0 outside.</summary>
        internal int[] Magnitudes { get; } = new int[width + 2];

        internal void Clear() => Magnitudes.AsSpan().Clear();

        internal void Fill(byte[] grey, int y, int width, int height)
        {
            ReadOnlySpan<byte> above = grey.AsSpan(Math.Max(y - 1, 0) * width, width), row = grey.AsSpan(y * width, width);
            ReadOnlySpan<byte> below = grey.AsSpan(Math.Min(y + 1, height - 1) * width, width);
            for (var x = 0; x < width; x++)
            {
                var (left, right) = (Math.Max(x - 1, 0), Math.Min(x + 1, width - 1));
                var across = above[right] - above[left] + (2 * (row[right] - row[left])) + below[right] - below[left];
                var down = below[left] - above[left] + (2 * (below[x] - above[x])) + below[right] - above[right];
                (Across[x + 1], Down[x + 1], Magnitudes[x + 1]) = (across, down, Math.Abs(across) + Math.Abs(down));
            }
        }
    }
}
