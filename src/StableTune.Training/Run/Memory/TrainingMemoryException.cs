using System.Globalization;

namespace StableTune;

/// <summary>Memory was asked for that is not there, on the device or in this machine. The message says what the run holds, and what would
/// make it smaller.</summary>
public sealed class TrainingMemoryException : InvalidOperationException
{
    internal TrainingMemoryException(string message, Exception inner) : base(message, inner) { }

    /// <summary>What the run holds, in bytes, by what it is: "base weights", "trained weights", "optimizer state" ...</summary>
    public IReadOnlyDictionary<string, long> Held { get; init; } = new Dictionary<string, long>();

    /// <summary>Bytes as people read them: "1.5 GB".</summary>
    internal static string Size(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F1} GB"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"),
    };
}
