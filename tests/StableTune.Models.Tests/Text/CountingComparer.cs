namespace StableTune.Models.Tests;

/// <summary>Compares as tables do anyway, and counts how often they are asked: the work of a tokenizer, whatever the machine.</summary>
internal sealed class CountingComparer : IEqualityComparer<string>, IAlternateEqualityComparer<ReadOnlySpan<char>, string>
{
    /// <summary>Look-ups and insertions.</summary>
    public long Count { get; set; }

    public bool Equals(string? x, string? y) => string.Equals(x, y, StringComparison.Ordinal);

    public int GetHashCode(string value) => GetHashCode(value.AsSpan());

    public bool Equals(ReadOnlySpan<char> alternate, string other) => alternate.SequenceEqual(other);

    public int GetHashCode(ReadOnlySpan<char> alternate)
    {
        Count++;
        return string.GetHashCode(alternate);
    }

    public string Create(ReadOnlySpan<char> alternate) => alternate.ToString();
}
