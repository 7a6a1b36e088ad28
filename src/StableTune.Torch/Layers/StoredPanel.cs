using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Register = System.Runtime.Intrinsics.Vector512<float>;

namespace StableTune.Torch;

/// <summary>A product of float32 rows and a bfloat16 weight, <see cref="Width"/> columns of the result at a time, by AVX-512.</summary>
internal sealed unsafe class StoredPanel
{
    /// <summary>Columns of the result that are computed at once; inputs and outputs of the weight are multiples of it.</summary>
    internal const int Width = 64;

    /// <summary>Rows that the sums on the stack have room for. With more of them a copy of the weight is a small part of the work, and
    /// MKL's product as good.</summary>
    internal const int MostRows = 96;

    /// <summary>How many numbers of each row are multiplied before their sums are put away: a panel of so many lies in the nearest cache
    /// beside what it is multiplied with.</summary>
    private const int Depth = 64;

    private const int Lanes = 16;

    /// <summary>What is multiplied, and the distances between its rows and between the numbers of one.</summary>
    internal required float* Rows { get; init; }

    internal required nint RowStep { get; init; }

    internal required nint PlaceStep { get; init; }

    /// <summary>[outputs, inputs]</summary>
    internal required ushort* Weight { get; init; }

    internal required int Inputs { get; init; }

    internal required int Outputs { get; init; }

    /// <summary>Whether rows have a number for each output, as a gradient has, instead of one for each input.</summary>
    internal required bool IsBack { get; init; }

    /// <summary>Where the result goes, and the distances between its rows and its columns.</summary>
    internal required float* Result { get; init; }

    internal required nint ResultRowStep { get; init; }

    internal required nint ResultColumnStep { get; init; }

    /// <summary>Computes columns <paramref name="number"/> · 64 to that + 63 of some rows of the result.</summary>
    /// <param name="number">Which columns.</param>
    /// <param name="row">The first row.</param>
    /// <param name="end">The row behind the last, at most <see cref="MostRows"/> further.</param>
    [SkipLocalsInit]
    internal void Compute(int number, int row, int end)
    {
        // Room to begin at whole lines of the cache.
        var room = stackalloc byte[((Depth + MostRows) * Width * sizeof(float)) + (Lanes * sizeof(float))];
        var panel = (float*)(((nint)room + 63) & ~(nint)63);
        var sums = panel + (Depth * Width);
        var (first, count, inner) = (number * Width, end - row, IsBack ? Outputs : Inputs);
        for (var from = 0; from < inner; from += Depth)
        {
            var depth = Math.Min(Depth, inner - from);
            if (IsBack) Widen(Weight + ((nint)from * Inputs) + first, depth, panel);
            else WidenAcross(Weight + ((nint)first * Inputs) + from, depth, panel);
            Multiply(Rows + (row * RowStep) + (from * PlaceStep), count, panel, depth, sums, from > 0);
        }

        Put(sums, Result + (row * ResultRowStep) + (first * ResultColumnStep), count);
    }

    /// <summary>[depth, 64] of the weight as it lies there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Widen(ushort* weight, int depth, float* panel)
    {
        for (var place = 0; place < depth; place++, weight += Inputs, panel += Width)
        {
            for (var column = 0; column < Width; column += Lanes)
                Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Vector256.Load(weight + column)), 16).AsSingle()
                    .Store(panel + column);
            // What the next block reads.
            Sse.Prefetch1(weight + ((nint)depth * Inputs));
            Sse.Prefetch1(weight + ((nint)depth * Inputs) + (Width / 2));
        }
    }

    /// <summary>[64, depth] of the weight as [depth, 64]: squares of 16 rows and 16 pairs of numbers are turned around.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WidenAcross(ushort* weight, int depth, float* panel)
    {
        for (var row = 0; row < Width; row += Lanes)
        {
            for (var place = 0; place < depth; place += 2 * Lanes)
            {
                var from = weight + ((nint)row * Inputs) + place;
                var to = panel + (place * Width) + row;
                var (a0, a1, a2, a3) = Turned(from, depth);
                var (b0, b1, b2, b3) = Turned(from + ((nint)4 * Inputs), depth);
                var (c0, c1, c2, c3) = Turned(from + ((nint)8 * Inputs), depth);
                var (d0, d1, d2, d3) = Turned(from + ((nint)12 * Inputs), depth);
                PutPairs(a0, b0, c0, d0, to);
                PutPairs(a1, b1, c1, d1, to + (2 * Width));
                PutPairs(a2, b2, c2, d2, to + (4 * Width));
                PutPairs(a3, b3, c3, d3, to + (6 * Width));
            }
        }
    }

    /// <summary>Pairs of four rows, turned around within each quarter: the n-th register has in its quarter q the four rows' pair 4 · q +
    /// n.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (Vector512<int>, Vector512<int>, Vector512<int>, Vector512<int>) Turned(ushort* from, int depth)
    {
        Vector512<int> a = Pairs(from, depth), b = Pairs(from + Inputs, depth);
        Vector512<int> c = Pairs(from + ((nint)2 * Inputs), depth), d = Pairs(from + ((nint)3 * Inputs), depth);
        Vector512<long> low = Avx512F.UnpackLow(a, b).AsInt64(), high = Avx512F.UnpackHigh(a, b).AsInt64();
        Vector512<long> nextLow = Avx512F.UnpackLow(c, d).AsInt64(), nextHigh = Avx512F.UnpackHigh(c, d).AsInt64();
        return (Avx512F.UnpackLow(low, nextLow).AsInt32(), Avx512F.UnpackHigh(low, nextLow).AsInt32(),
            Avx512F.UnpackLow(high, nextHigh).AsInt32(), Avx512F.UnpackHigh(high, nextHigh).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Pairs(ushort* from, int depth)
    {
        Sse.Prefetch1(from + depth);
        return Vector512.Load((int*)from);
    }

    /// <summary>The same quarters of four registers put together, each a pair of numbers of 16 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutPairs(Vector512<int> a, Vector512<int> b, Vector512<int> c, Vector512<int> d, float* to)
    {
        const byte Even = 0b10_00_10_00, Odd = 0b11_01_11_01;
        Vector512<int> even = Avx512F.Shuffle4x128(a, b, Even), odd = Avx512F.Shuffle4x128(a, b, Odd);
        Vector512<int> nextEven = Avx512F.Shuffle4x128(c, d, Even), nextOdd = Avx512F.Shuffle4x128(c, d, Odd);
        PutPair(Avx512F.Shuffle4x128(even, nextEven, Even), to);
        PutPair(Avx512F.Shuffle4x128(odd, nextOdd, Even), to + (8 * Width));
        PutPair(Avx512F.Shuffle4x128(even, nextEven, Odd), to + (16 * Width));
        PutPair(Avx512F.Shuffle4x128(odd, nextOdd, Odd), to + (24 * Width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutPair(Vector512<int> pairs, float* to)
    {
        Avx512F.ShiftLeftLogical(pairs, 16).AsSingle().Store(to);
        (pairs & Vector512.Create(unchecked((int)0xFFFF0000))).AsSingle().Store(to + Width);
    }

    private void Multiply(float* rows, int count, float* panel, int depth, float* sums, bool adds)
    {
        var row = 0;
        // Eight rows are four and four.
        for (; count - row >= 6 && count - row != 8; row += 6) Six(rows + (row * RowStep), panel, depth, sums + (row * Width), adds);
        for (; count - row >= 4; row += 4) Four(rows + (row * RowStep), panel, depth, sums + (row * Width), adds);
        for (; row < count; row++) One(rows + (row * RowStep), panel, depth, sums + (row * Width), adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void One(float* row, float* panel, int depth, float* sums, bool adds)
    {
        Register s0 = default, s1 = default, s2 = default, s3 = default;
        for (var end = panel + (depth * Width); panel < end; panel += Width, row += PlaceStep)
        {
            var number = Vector512.Create(*row);
            s0 = Avx512F.FusedMultiplyAdd(number, Vector512.Load(panel), s0);
            s1 = Avx512F.FusedMultiplyAdd(number, Vector512.Load(panel + Lanes), s1);
            s2 = Avx512F.FusedMultiplyAdd(number, Vector512.Load(panel + (2 * Lanes)), s2);
            s3 = Avx512F.FusedMultiplyAdd(number, Vector512.Load(panel + (3 * Lanes)), s3);
        }

        Add(s0, s1, s2, s3, sums, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Four(float* row, float* panel, int depth, float* sums, bool adds)
    {
        Register a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Register c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        nint step = RowStep, place = PlaceStep;
        for (var end = panel + (depth * Width); panel < end; panel += Width, row += place)
        {
            Register w0 = Vector512.Load(panel), w1 = Vector512.Load(panel + Lanes);
            Register w2 = Vector512.Load(panel + (2 * Lanes)), w3 = Vector512.Load(panel + (3 * Lanes));
            Step(Vector512.Create(*row), w0, w1, w2, w3, ref a0, ref a1, ref a2, ref a3);
            Step(Vector512.Create(row[step]), w0, w1, w2, w3, ref b0, ref b1, ref b2, ref b3);
            Step(Vector512.Create(row[2 * step]), w0, w1, w2, w3, ref c0, ref c1, ref c2, ref c3);
            Step(Vector512.Create(row[3 * step]), w0, w1, w2, w3, ref d0, ref d1, ref d2, ref d3);
        }

        Add(a0, a1, a2, a3, sums, adds);
        Add(b0, b1, b2, b3, sums + Width, adds);
        Add(c0, c1, c2, c3, sums + (2 * Width), adds);
        Add(d0, d1, d2, d3, sums + (3 * Width), adds);
    }

    /// <summary>Six rows fill the registers: 24 sums, four numbers of the panel and one of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Six(float* row, float* panel, int depth, float* sums, bool adds)
    {
        Register a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Register c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        Register e0 = default, e1 = default, e2 = default, e3 = default, f0 = default, f1 = default, f2 = default, f3 = default;
        nint place = PlaceStep, second = RowStep, third = 2 * second, fourth = 3 * second, fifth = 4 * second, sixth = 5 * second;
        for (var end = panel + (depth * Width); panel < end; panel += Width, row += place)
        {
            Register w0 = Vector512.Load(panel), w1 = Vector512.Load(panel + Lanes);
            Register w2 = Vector512.Load(panel + (2 * Lanes)), w3 = Vector512.Load(panel + (3 * Lanes));
            Step(Vector512.Create(*row), w0, w1, w2, w3, ref a0, ref a1, ref a2, ref a3);
            Step(Vector512.Create(row[second]), w0, w1, w2, w3, ref b0, ref b1, ref b2, ref b3);
            Step(Vector512.Create(row[third]), w0, w1, w2, w3, ref c0, ref c1, ref c2, ref c3);
            Step(Vector512.Create(row[fourth]), w0, w1, w2, w3, ref d0, ref d1, ref d2, ref d3);
            Step(Vector512.Create(row[fifth]), w0, w1, w2, w3, ref e0, ref e1, ref e2, ref e3);
            Step(Vector512.Create(row[sixth]), w0, w1, w2, w3, ref f0, ref f1, ref f2, ref f3);
        }

        Add(a0, a1, a2, a3, sums, adds);
        Add(b0, b1, b2, b3, sums + Width, adds);
        Add(c0, c1, c2, c3, sums + (2 * Width), adds);
        Add(d0, d1, d2, d3, sums + (3 * Width), adds);
        Add(e0, e1, e2, e3, sums + (4 * Width), adds);
        Add(f0, f1, f2, f3, sums + (5 * Width), adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(Register number, Register w0, Register w1, Register w2, Register w3,
        ref Register s0, ref Register s1, ref Register s2, ref Register s3)
    {
        s0 = Avx512F.FusedMultiplyAdd(number, w0, s0);
        s1 = Avx512F.FusedMultiplyAdd(number, w1, s1);
        s2 = Avx512F.FusedMultiplyAdd(number, w2, s2);
        s3 = Avx512F.FusedMultiplyAdd(number, w3, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Register s0, Register s1, Register s2, Register s3, float* sums, bool adds)
    {
        if (adds)
        {
            s0 += Vector512.Load(sums);
            s1 += Vector512.Load(sums + Lanes);
            s2 += Vector512.Load(sums + (2 * Lanes));
            s3 += Vector512.Load(sums + (3 * Lanes));
        }

        s0.Store(sums);
        s1.Store(sums + Lanes);
        s2.Store(sums + (2 * Lanes));
        s3.Store(sums + (3 * Lanes));
    }

    private void Put(float* sums, float* to, int count)
    {
        if (ResultColumnStep == 1)
        {
            for (var row = 0; row < count; row++)
                new Span<float>(sums + (row * Width), Width).CopyTo(new Span<float>(to + (row * ResultRowStep), Width));
            return;
        }

        for (var column = 0; column < Width; column++, to += ResultColumnStep)
            for (var row = 0; row < count; row++) to[row * ResultRowStep] = sums[(row * Width) + column];
    }
}
