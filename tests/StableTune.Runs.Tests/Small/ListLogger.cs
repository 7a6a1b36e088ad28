using Microsoft.Extensions.Logging;

namespace StableTune.Tests;

/// <summary>A host's logger that keeps what it is told.</summary>
internal sealed class ListLogger : ILogger
{
    public List<(LogLevel Level, int Id, string Text, Exception? Fault)> Entries { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
        string> formatter) =>
        Entries.Add((logLevel, eventId.Id, formatter(state, exception), exception));
}
