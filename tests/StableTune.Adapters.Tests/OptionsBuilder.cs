namespace StableTune.Adapters.Tests;

/// <summary>A builder that has a place for adapters, and nothing else.</summary>
internal sealed class OptionsBuilder : IAdapterSocket<OptionsBuilder>
{
    public List<AdapterOptions> Adapters { get; } = [];

    public OptionsBuilder WithAdapter(AdapterOptions options)
    {
        Adapters.Add(options);
        return this;
    }
}
