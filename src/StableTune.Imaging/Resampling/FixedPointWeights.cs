namespace StableTune.Imaging;

/// <summary>
/// For each place of the result along one axis: the first of the source places that it is made of, and their weights as integers of 11
/// bits. Computed as OpenCV does for pictures of 8 bits: the last bits decide, so precisions and roundings are its own.
/// </summary>
internal sealed class FixedPointWeights
{
    /// <summary>Weights are integers, scaled by 2^11.</summary>
    internal const int Precision = 11;

    private FixedPointWeights(int count, int taps) => (Taps, First, Weights) = (taps, new int[count], new int[count * taps]);

    /// <summary>Weights of one place.</summary>
    internal int Taps { get; }

    /// <summary>[count]; may lie outside the source, where its edge stands for it.</summary>
    internal int[] First { get; }

    /// <summary>[count, Taps].</summary>
    internal int[] Weights { get; }

    /// <summary>INTER_LINEAR: two neighbours by distance.</summary>
    internal static FixedPointWeights Linear(int from, int to, bool clampsEdges)
    {
        var (scale, result) = (AreaWeights.Scale(from, to), new FixedPointWeights(to, taps: 2));
        for (var i = 0; i < to; i++)
        {
            var at = (float)(((i + 0.5) * scale) - 0.5);
            var first = (int)MathF.Floor(at);
            result.SetLinear(i, first, at - first, from, clampsEdges);
        }

        return result;
    }

    /// <summary>INTER_AREA where a side grows: two neighbours, by what a place covers of them.</summary>
    internal static FixedPointWeights Area(int from, int to, bool clampsEdges)
    {
        var (scale, inverse, result) = (AreaWeights.Scale(from, to), (double)to / from, new FixedPointWeights(to, taps: 2));
        for (var i = 0; i < to; i++)
        {
            var first = (int)Math.Floor(i * scale);
            var share = (float)(i + 1 - ((first + 1) * inverse));
            result.SetLinear(i, first, share <= 0 ? 0 : share - MathF.Floor(share), from, clampsEdges);
        }

        return result;
    }

    /// <summary>INTER_CUBIC: four neighbours by Keys' cubic with a = -0.75.</summary>
    internal static FixedPointWeights Cubic(int from, int to)
    {
        var (scale, result) = (AreaWeights.Scale(from, to), new FixedPointWeights(to, taps: 4));
        for (var i = 0; i < to; i++)
        {
            var at = (float)(((i + 0.5) * scale) - 0.5);
            var first = (int)MathF.Floor(at);
            result.First[i] = first - 1;
            SetCubic(result.Weights.AsSpan(4 * i, 4), at - first);
        }

        return result;
    }

    // OpenCV takes the pixel at the edge alone for columns, but blends it with itself for rows, where two roundings down may lose a
    // level.
    private void SetLinear(int place, int first, float share, int from, bool clampsEdges)
    {
        if (clampsEdges && (first < 0 || first >= from - 1)) (first, share) = (first < 0 ? 0 : from - 1, 0);
        (First[place], Weights[2 * place], Weights[(2 * place) + 1]) = (first, Fixed(1f - share), Fixed(share));
    }

    private static void SetCubic(Span<int> weights, float x)
    {
        const float a = -0.75f;
        var (y, z) = (x + 1, 1 - x);
        var before = ((((((a * y) - (5 * a)) * y) + (8 * a)) * y) - (4 * a));
        var left = ((((a + 2) * x) - (a + 3)) * x * x) + 1;
        var right = ((((a + 2) * z) - (a + 3)) * z * z) + 1;
        (weights[0], weights[1], weights[2], weights[3]) = (Fixed(before), Fixed(left), Fixed(right), Fixed(1f - before - left - right));
    }

    private static int Fixed(float weight) => (int)MathF.Round(weight * (1 << Precision));
}
