namespace StableTune.Adapters;

/// <summary>How LyCORIS splits a layer's width into two factors.</summary>
internal static class Factorization
{
    /// <summary>Two numbers of this product, the smaller first: the factor and its complement where it divides the width.</summary>
    /// <remarks>
    /// Otherwise the pair that lies nearest to √width with a smaller number not above the factor. LyCORIS' <c>factorization</c>.
    /// </remarks>
    /// <param name="width">The product.</param>
    /// <param name="factor">One of the two numbers, or a bound of the smaller; negative for the pair nearest to the root.</param>
    public static (long Small, long Large) Of(long width, long factor)
    {
        if (factor > 0 && width % factor == 0) return (Math.Min(factor, width / factor), Math.Max(factor, width / factor));
        var small = 1L;
        for (var next = 2L; next * next <= width && (factor < 0 || next <= factor); next++)
            if (width % next == 0) small = next;
        return (small, width / small);
    }

    /// <summary>
    /// Blocks of an even size, not above a bound, of which there is a power of two: what butterfly transforms need. LyCORIS'
    /// <c>power2factorization</c>.
    /// </summary>
    /// <param name="width">The product.</param>
    /// <param name="bound">The largest size of a block; negative for none.</param>
    /// <returns>Size and number of the blocks, the largest size that there is; null where there is none.</returns>
    public static (long Size, long Count)? EvenBlocks(long width, long bound)
    {
        for (var count = 1L; count <= width; count *= 2)
            if (width % count == 0 && width / count is var size && size % 2 == 0 && (bound < 0 || size <= bound)) return (size, count);
        return null;
    }
}
