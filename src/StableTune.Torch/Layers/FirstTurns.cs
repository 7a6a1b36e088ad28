using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>Lets no two threads do something for the first time at once: the first of a kind is done alone, later ones as they
/// come.</summary>
/// <param name="most">What all kinds that are known may weigh; the oldest are forgotten.</param>
internal sealed class FirstTurns(int most)
{
    private readonly ConcurrentDictionary<long[], bool> _done = new(new Numbers());
    private readonly Queue<(long[] Kind, int Weight)> _byAge = [];
    private readonly Lock _turn = new();
    private int _weight;

    /// <summary>Does it, alone where nothing of its kind was done yet. What throws counts as not done.</summary>
    /// <param name="kind">Numbers that name the kind.</param>
    /// <param name="weight">What it weighs.</param>
    /// <param name="does">What is done; told whether it is the first of its kind.</param>
    internal T Take<T>(long[] kind, int weight, Func<bool, T> does)
    {
        if (_done.ContainsKey(kind)) return does(false);
        lock (_turn)
        {
            // Another thread may have had this turn meanwhile.
            if (_done.ContainsKey(kind)) return does(false);
            var result = does(true);
            Remember(kind, weight);
            return result;
        }
    }

    private void Remember(long[] kind, int weight)
    {
        _done[kind] = true;
        _byAge.Enqueue((kind, weight));
        _weight += weight;
        while (_weight > most)
        {
            var oldest = _byAge.Dequeue();
            _done.TryRemove(oldest.Kind, out _);
            _weight -= oldest.Weight;
        }
    }

    private sealed class Numbers : IEqualityComparer<long[]>
    {
        public bool Equals(long[]? x, long[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(long[] numbers)
        {
            var hash = new HashCode();
            hash.AddBytes(MemoryMarshal.AsBytes(numbers.AsSpan()));
            return hash.ToHashCode();
        }
    }
}
