namespace StableTune.Imaging;

/// <summary>
/// For each place of the result along one axis: the first source place that it covers, and the share of each. All have the same number of
/// shares, the last ones 0 where fewer are covered.
/// </summary>
internal sealed class AreaWeights
{
    /// <summary>OpenCV leaves out shares below this part of a source place.</summary>
    private const double Least = 1e-3;

    /// <param name="extent">The length that the source stands for, in source places: their number, or a little less where the last is
    /// half filled.</param>
    /// <param name="places">Number of source places.</param>
    /// <param name="to">Number of places of the whole result.</param>
    /// <param name="first">The first place of the result that is wanted.</param>
    /// <param name="count">How many are wanted.</param>
    internal AreaWeights(double extent, int places, int to, int first, int count)
    {
        var scale = Scale(extent, to);
        Taps = (int)Math.Ceiling(scale) + 2;
        (First, Shares) = (new int[count], new float[count * Taps]);
        var most = 1;
        for (var i = 0; i < count; i++) most = Math.Max(most, Fill(i, (first + i) * scale, scale, extent, places));
        if (most == Taps) return;
        var dense = new float[count * most];
        for (var i = 0; i < count; i++) Shares.AsSpan(i * Taps, most).CopyTo(dense.AsSpan(i * most));
        (Taps, Shares) = (most, dense);
    }

    /// <summary>Shares of one place.</summary>
    internal int Taps { get; }

    /// <summary>[count].</summary>
    internal int[] First { get; }

    /// <summary>[count, Taps].</summary>
    internal float[] Shares { get; }

    /// <summary>Source places to one of the result; by way of its inverse, as OpenCV computes it, because the last bit decides at
    /// edges.</summary>
    internal static double Scale(double extent, int to) => 1 / (to / extent);

    /// <summary>The shares of the source places that the stretch from <paramref name="start"/> on covers.</summary>
    /// <returns>How many there are.</returns>
    private int Fill(int place, double start, double scale, double extent, int places)
    {
        var (end, width) = (start + scale, Math.Min(scale, extent - start));
        var shares = Shares.AsSpan(place * Taps, Taps);
        var lastWhole = Math.Min((int)Math.Floor(end), places - 1);
        var firstWhole = Math.Min((int)Math.Ceiling(start), lastWhole);
        var (partly, used) = (firstWhole - start > Least, 0);
        First[place] = partly ? firstWhole - 1 : firstWhole;
        if (partly) shares[used++] = (float)((firstWhole - start) / width);
        for (var i = firstWhole; i < lastWhole; i++) shares[used++] = (float)(1 / width);
        if (end - lastWhole > Least) shares[used++] = (float)(Math.Min(Math.Min(end - lastWhole, 1), width) / width);
        return used;
    }
}
