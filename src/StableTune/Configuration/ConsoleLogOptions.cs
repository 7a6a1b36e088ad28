using Microsoft.Extensions.Logging;

namespace StableTune;

/// <summary>Which messages of a run a program shows, and where: what <c>console_log_level</c>, <c>console_log_file</c> and
/// <c>console_log_simple</c> say. The program that runs it does so; the library gives messages to a host's
/// <see cref="ILogger"/>.</summary>
/// <param name="Level">The least level that is shown.</param>
/// <param name="File">A file in the place of the console; null for the console.</param>
/// <param name="IsSimple">Whether only the text is shown, without time and level.</param>
public sealed record ConsoleLogOptions(LogLevel Level = LogLevel.Information, string? File = null, bool IsSimple = false);
