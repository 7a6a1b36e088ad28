using System.Globalization;
using Microsoft.Extensions.Logging;

namespace StableTune.Tool;

/// <summary>Messages of a run as sd-scripts shows them: on the console, or in a file in its place.</summary>
internal sealed class ConsoleLog : ILogger, IDisposable
{
    private readonly ConsoleLogOptions _options;
    private readonly TimeProvider _clock;
    private readonly Action<string> _say;
    private readonly StreamWriter? _file;
    private readonly Lock _lock = new();

    /// <summary>Begins a log.</summary>
    /// <param name="options">What is shown, and where.</param>
    /// <param name="say">Writes a line on the console.</param>
    /// <param name="clock">Says the time of messages.</param>
    /// <exception cref="InvalidOptionsException">The file cannot be written.</exception>
    public ConsoleLog(ConsoleLogOptions options, Action<string> say, TimeProvider clock)
    {
        (_options, _say, _clock) = (options, say, clock);
        if (options.File is not { } file) return;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
            _file = new StreamWriter(file) { AutoFlush = true };
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new InvalidOptionsException([new("console_log_file", file, $"it cannot be written ({fault.Message.TrimEnd('.')})",
                "name a file in a folder that can be written to")]);
        }
    }

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= _options.Level && logLevel != LogLevel.None;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel)) return;
        var text = formatter(state, exception);
        if (exception is not null) text += ": " + exception.Message;
        // A file has the messages alone, as in the reference.
        if (_file is not null)
            lock (_lock) _file.WriteLine(text);
        else _say(_options.IsSimple ? text : $"{Time} {Named(logLevel),-8} {text}");
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private string Time => _clock.GetLocalNow().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Named(LogLevel level) => level switch
    {
        LogLevel.Information => "INFO",
        _ => level.ToString().ToUpperInvariant(),
    };
}
