using System.Globalization;

namespace StableTune.Testing;

/// <summary>A request as it came over the wire.</summary>
public sealed record TestRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The path, unescaped, without the query.</summary>
    public string Path => Uri.UnescapeDataString(Target.Split('?')[0]);

    /// <summary>What was sent; empty for nothing.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>The body as text.</summary>
    public string Text => System.Text.Encoding.UTF8.GetString(Body);

    public string? Token => Headers.GetValueOrDefault("authorization");

    /// <summary>The first byte asked for; 0 without a range.</summary>
    public long From => Headers.TryGetValue("range", out var range) ? long.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture)
        : 0;
}
