using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace StableTune.Imaging;

/// <summary>Means of whole pixels: sums of integers. 2 x 2 rounds halves up, all others to even.</summary>
internal sealed class WholeAreaResampler : AreaResampler
{
    /// <summary>Sums of columns are kept in 16 bits and those of places in 32, as long as they fit.</summary>
    private const int MostRows = ushort.MaxValue / byte.MaxValue, MostColumns = short.MaxValue;

    private readonly int _step, _across, _down;
    private readonly PixelArea _part;
    private readonly ushort[] _columns;

    private WholeAreaResampler(int step, int across, int down, PixelArea part, PixelImage result) : base(result)
    {
        (_step, _across, _down, _part) = (step, across, down, part);
        _columns = ArrayPool<ushort>.Shared.Rent(Length);
        Columns.Clear();
    }

    private int Length => _part.Width * _across * _step;

    private Span<ushort> Columns => _columns.AsSpan(0, Length);

    internal static AreaResampler Begin(int step, int across, int down, PixelArea part, PixelImage result)
        => down > MostRows || across > MostColumns ? new VastAreaResampler(step, across, down, part, result)
            : new WholeAreaResampler(step, across, down, part, result);

    public override void Dispose() => ArrayPool<ushort>.Shared.Return(_columns);

    internal override void Take(int y, ReadOnlySpan<byte> rows, int stride)
    {
        for (; rows.Length > 0; rows = rows[stride..], y++) Take(y, rows[..stride]);
    }

    private void Take(int y, ReadOnlySpan<byte> row)
    {
        var place = (y / _down) - _part.Top;
        if (place < 0 || place >= _part.Height) return;
        Add(row.Slice(_part.Left * _across * _step, Length), Columns);
        if (y % _down < _down - 1) return;
        Store(Result.Row(place));
        Columns.Clear();
    }

    private void Store(Span<byte> row)
    {
        var (isQuarter, share, channels) = (_across == 2 && _down == 2, 1f / (_across * _down), Result.Channels);
        ReadOnlySpan<ushort> sums = Columns;
        for (int to = 0, start = 0; to < row.Length; to += channels, start += _across * _step)
            for (var c = 0; c < channels; c++)
            {
                var sum = 0;
                for (var k = 0; k < _across; k++) sum += sums[start + (k * _step) + c];
                row[to + c] = isQuarter ? (byte)((sum + 2) >> 2) : (byte)MathF.Round(sum * share);
            }
    }

    private static void Add(ReadOnlySpan<byte> row, Span<ushort> sums)
    {
        ref var source = ref MemoryMarshal.GetReference(row);
        ref var target = ref MemoryMarshal.GetReference(sums);
        var i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref source, (nuint)i), out var low, out var high);
            (Vector.LoadUnsafe(ref target, (nuint)i) + low).StoreUnsafe(ref target, (nuint)i);
            var second = (nuint)(i + Vector<ushort>.Count);
            (Vector.LoadUnsafe(ref target, second) + high).StoreUnsafe(ref target, second);
        }

        for (; i < row.Length; i++) sums[i] += row[i];
    }

    /// <summary>
    /// Factors so large that the sums would not fit. (OpenCV's own fit as long as an area has less than 8.4 million places.)
    /// </summary>
    private sealed class VastAreaResampler(int step, int across, int down, PixelArea part, PixelImage result) : AreaResampler(result)
    {
        private readonly long[] _sums = new long[part.Width * result.Channels];

        public override void Dispose()
        {
        }

        internal override void Take(int y, ReadOnlySpan<byte> rows, int stride)
        {
            for (; rows.Length > 0; rows = rows[stride..], y++) Take(y, rows[..stride]);
        }

        private void Take(int y, ReadOnlySpan<byte> row)
        {
            var place = (y / down) - part.Top;
            if (place < 0 || place >= part.Height) return;
            for (var i = 0; i < _sums.Length; i++)
            {
                var (x, c) = Math.DivRem(i, Result.Channels);
                _sums[i] += Sum(row.Slice((part.Left + x) * across * step, across * step), c);
            }

            if (y % down < down - 1) return;
            var share = 1f / ((float)across * down);
            for (var i = 0; i < _sums.Length; i++) Result.Row(place)[i] = (byte)MathF.Min(MathF.Round(_sums[i] * share), byte.MaxValue);
            _sums.AsSpan().Clear();
        }

        private long Sum(ReadOnlySpan<byte> places, int first)
        {
            var sum = 0L;
            for (var i = first; i < places.Length; i += step) sum += places[i];
            return sum;
        }
    }
}
