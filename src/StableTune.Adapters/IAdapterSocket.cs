namespace StableTune.Adapters;

/// <summary>What a builder implements to have a place for adapters: the <c>With…</c> extensions of all kinds then work on it.</summary>
/// <typeparam name="TBuilder">The builder itself.</typeparam>
public interface IAdapterSocket<out TBuilder>
{
    /// <summary>Adds an adapter to what is trained.</summary>
    /// <param name="options">The adapter's kind and options.</param>
    /// <returns>The builder.</returns>
    TBuilder WithAdapter(AdapterOptions options);
}
