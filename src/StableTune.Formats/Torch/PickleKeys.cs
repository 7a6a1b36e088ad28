namespace StableTune.Formats;

/// <summary>
/// Equality of dictionary keys: by value for what files have as keys, by identity for everything else. Hashes are seeded anew in each
/// process, so that a file cannot be made of keys that collide.
/// </summary>
internal sealed class PickleKeys : IEqualityComparer<PickleValue>
{
    /// <summary>The most values that a tuple may have as a key: comparing it costs as much each time.</summary>
    private const int MaximumTuple = 16;

    public static PickleKeys Instance { get; } = new();

    /// <summary>Whether Python could have it as a key, and we as well; nested tuples are left out.</summary>
    public static bool CanBeKey(PickleValue value) => IsScalar(value) ||
        (value is PickleSequence { Kind: PickleSequenceKind.Tuple, Count: <= MaximumTuple } tuple && tuple.All(IsScalar));

    /// <summary>What hashing the key costs, in bytes.</summary>
    public static long Cost(PickleValue key) => key switch
    {
        PickleText text => text.Value.Length,
        PickleSequence tuple => tuple.Sum(Cost),
        _ => 0,
    };

    public bool Equals(PickleValue? x, PickleValue? y) => ReferenceEquals(x, y) || (x, y) switch
    {
        (PickleText a, PickleText b) => a.Value == b.Value,
        (PickleInteger a, PickleInteger b) => a.Value == b.Value,
        (PickleFloat a, PickleFloat b) => a.Value.Equals(b.Value),
        (PickleGlobal a, PickleGlobal b) => a.Name == b.Name && a.Module == b.Module,
        (PickleSequence a, PickleSequence b) => EqualTuples(a, b),
        _ => false,
    };

    public int GetHashCode(PickleValue value)
    {
        switch (value)
        {
            case PickleText text: return text.Value.GetHashCode(StringComparison.Ordinal);
            case PickleInteger integer when integer.TryGetInt64(out var number): return HashCode.Combine((int)number, (int)(number >> 32));
            case PickleFloat f: return HashCode.Combine(
                (int)BitConverter.DoubleToInt64Bits(f.Value), (int)(BitConverter.DoubleToInt64Bits(f.Value) >> 32));
            case PickleGlobal global: return HashCode.Combine(global.Module, global.Name);
            case PickleSequence tuple:
                var hash = new HashCode();
                foreach (var item in tuple) hash.Add(GetHashCode(item));
                return hash.ToHashCode();
            default: return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value);
        }
    }

    private static bool IsScalar(PickleValue value) => value is PickleText or PickleFloat or PickleBoolean or PickleNone or PickleGlobal ||
        (value is PickleInteger integer && integer.TryGetInt64(out _));

    private bool EqualTuples(PickleSequence a, PickleSequence b)
    {
        if (a.Count != b.Count || a.Kind != b.Kind) return false;
        for (var i = 0; i < a.Count; i++)
            if (!Equals(a[i], b[i])) return false;
        return true;
    }
}
