namespace StableTune.Configuration;

/// <summary>An option in the words of a reference that is not sd-scripts.</summary>
/// <param name="Row">Name, kind, default and help there.</param>
/// <param name="Canonical">The option of the tables that it sets; null where the style's reader looks at it, or nobody.</param>
internal sealed record StyleOption(RunOption Row, string? Canonical)
{
    /// <summary>Turns the value into one of the canonical option; null takes it as it is.</summary>
    public Func<object, object?>? Convert { get; init; }

    /// <summary>Sets the canonical option.</summary>
    /// <param name="values">The canonical options.</param>
    /// <param name="value">The value there; null takes the default.</param>
    public void Set(OptionValues values, OptionValue? value)
    {
        if ((value?.Value ?? Row.Default) is not { } given || Canonical is null) return;
        if ((Convert is null ? given : Convert(given)) is { } converted)
            values.Set(new OptionValue(OptionTable.Of(Canonical), converted, value?.Origin ?? $"default of {Row.Name}"));
    }
}
