namespace StableTune;

/// <summary>
/// One seed yields one independent stream of random numbers per purpose ("noise", "timesteps", "data" ...), so that a
/// draw added for one purpose moves no other. The derivation is fixed: it is part of what makes a run repeatable.
/// </summary>
/// <param name="Seed">The seed of the run.</param>
public readonly record struct NamedSeeds(long Seed)
{
    /// <summary>The seed of the stream with this name, and, where it restarts (each epoch), of this index.</summary>
    /// <param name="purpose">The name of the stream.</param>
    /// <param name="index">The number of the restart, for instance the epoch.</param>
    public long For(string purpose, long index = 0)
    {
        ArgumentNullException.ThrowIfNull(purpose);
        var hash = 14695981039346656037UL;                                   // FNV-1a, 64 bit, over UTF-16 units
        foreach (var unit in purpose) hash = (hash ^ unit) * 1099511628211UL;
        return (long)Mix(Mix((ulong)Seed ^ hash) + (ulong)index);
    }

    /// <summary>The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).</summary>
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
