using System.Numerics;

namespace StableTune.Data;

/// <summary>
/// Random numbers for orders, captions and crops: the same for one seed on every machine and in every version, which the
/// runtime's own generator does not promise. Not for several threads at once, and not for secrets.
/// </summary>
/// <remarks>xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2021, arXiv:1805.01407), seeded by
/// SplitMix64.</remarks>
public sealed class RandomStream
{
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>A stream; one seed gives one sequence.</summary>
    public RandomStream(long seed)
    {
        var state = (ulong)seed;
        (_s0, _s1, _s2, _s3) = (SplitMix(ref state), SplitMix(ref state), SplitMix(ref state), SplitMix(ref state));
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        var t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>A number from 0 up to, but not including, 1; 53 bits of it are random.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A whole number from 0 up to, but not including, <paramref name="limit"/>; each is equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    public int Next(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var bound = (ulong)limit;
        var rest = (0 - bound) % bound;                                     // Lemire 2019, arXiv:1805.10941: without bias
        while (true)
        {
            var high = Math.BigMul(NextBits(), bound, out var low);
            if (low >= rest) return (int)high;
        }
    }

    /// <summary>Puts the elements into a random order; every order is equally likely (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (var last = values.Length - 1; last > 0; last--)
        {
            var other = Next(last + 1);
            (values[last], values[other]) = (values[other], values[last]);
        }
    }

    /// <inheritdoc cref="Shuffle{T}(Span{T})"/>
    public void Shuffle<T>(T[] values) => Shuffle(values.AsSpan());

    private static ulong SplitMix(ref ulong state)
    {
        var z = state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
