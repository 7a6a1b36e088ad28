using System.Text;

namespace StableTune.Testing;

/// <summary>An answer, byte by byte as a test wants it: nothing is made consistent.</summary>
public sealed record Reply
{
    public int Status { get; init; } = 200;

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    public byte[] Body { get; init; } = [];

    /// <summary>What the header says; the body's length when null, no header when negative.</summary>
    public long? ContentLength { get; init; }

    /// <summary>The connection is cut after this many bytes of the body; null: never.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Called again and again after the body (or its cut part), until the other side gives up; null: the connection is
    /// closed.</summary>
    public Action? Stall { get; init; }

    /// <summary>Awaited before anything is sent.</summary>
    public Task? Until { get; init; }

    public static Reply Json(string text, params (string, string)[] headers) =>
        new() { Body = Encoding.UTF8.GetBytes(text), Headers = [("Content-Type", "application/json"), .. headers] };

    public static Reply Of(int status, params (string, string)[] headers) => new() { Status = status, Headers = headers };

    public static Reply RedirectTo(string address, params (string, string)[] headers) =>
        new() { Status = 302, Headers = [("Location", address), .. headers] };

    public Reply With(string name, string value) => this with { Headers = [.. Headers, (name, value)] };
}
