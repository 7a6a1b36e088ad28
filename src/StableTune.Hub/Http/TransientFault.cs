namespace StableTune.Hub;

/// <summary>A failure that may pass: the request is worth repeating.</summary>
/// <param name="message">What happened: a sentence.</param>
/// <param name="inner">What led to it.</param>
/// <param name="retryAfter">The pause that the server asks for; null when it asks for none.</param>
/// <param name="fault">What it is when it does not pass.</param>
internal sealed class TransientFault(
    string message, Exception? inner = null, TimeSpan? retryAfter = null, HubFault fault = HubFault.Unreachable)
    : Exception(message, inner)
{
    public HubFault Fault { get; } = fault;

    public TimeSpan? RetryAfter { get; } = retryAfter;
}
