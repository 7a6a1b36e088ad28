using System.Collections.Immutable;

namespace StableTune;

/// <summary>
/// Things by the names that configuration files use, such as samplers or losses. Immutable: a host that adds its own gets another
/// catalogue, and the one that came with StableTune stays as it was.
/// </summary>
/// <typeparam name="T">What is made.</typeparam>
public sealed class Catalog<T>
{
    private readonly ImmutableSortedDictionary<string, Func<T>> _makers;

    /// <summary>An empty catalogue.</summary>
    /// <param name="kind">What one entry is, in the singular and as messages say it: "sampler", "loss".</param>
    /// <exception cref="ArgumentException">The kind is empty.</exception>
    public Catalog(string kind) : this(kind, StringComparer.Ordinal) { }

    /// <summary>An empty catalogue whose names are compared in a certain way.</summary>
    /// <param name="kind">What one entry is, in the singular and as messages say it: "sampler", "loss".</param>
    /// <param name="names">Says which names are the same, <see cref="StringComparer.OrdinalIgnoreCase"/> for instance.</param>
    /// <exception cref="ArgumentException">The kind is empty.</exception>
    public Catalog(string kind, StringComparer names) : this(kind, ImmutableSortedDictionary.Create<string, Func<T>>(names))
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(kind);
        ArgumentNullException.ThrowIfNull(names);
    }

    private Catalog(string kind, ImmutableSortedDictionary<string, Func<T>> makers) => (Kind, _makers) = (kind, makers);

    /// <summary>What one entry is, as messages say it.</summary>
    public string Kind { get; }

    /// <summary>The known names, sorted.</summary>
    public IEnumerable<string> Names => _makers.Keys;

    /// <summary>This catalogue with one more name; under a name that is known, the new thing takes the place of the old one.</summary>
    /// <param name="name">The name, not empty. Upper and lower case differ, unless the catalogue was made otherwise.</param>
    /// <param name="create">Makes the thing, with its defaults.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public Catalog<T> With(string name, Func<T> create)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(create);
        return new Catalog<T>(Kind, _makers.SetItem(name, create));
    }

    /// <summary>Whether a name is known.</summary>
    public bool Contains(string name) => _makers.ContainsKey(name);

    /// <summary>Makes what the name stands for, with its defaults.</summary>
    /// <exception cref="ArgumentException">The name is not known; the message has the known ones and the nearest.</exception>
    public T Create(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (_makers.TryGetValue(name, out var create)) return create();
        var nearest = NearName.Of(name, Names) is { } near ? $" Did you mean \"{near}\"?" : "";
        throw new ArgumentException(
            $"\"{ShortText.Of(name)}\" is no known {Kind}.{nearest} Known are: {string.Join(", ", Names)}.", nameof(name));
    }
}
