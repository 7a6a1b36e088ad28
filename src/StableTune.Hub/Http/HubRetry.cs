using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace StableTune.Hub;

/// <summary>Repeats what failed for a reason that may pass: with growing pauses that vary by chance, or as long as the server
/// asks.</summary>
internal sealed partial class HubRetry
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ResiliencePipeline _pipeline;
    private readonly int _retries;
    private readonly ILogger _logger;

    public HubRetry(HubOptions options, TimeProvider clock, ILogger logger)
    {
        (_retries, _logger) = (options.Retries, logger);
        var builder = new ResiliencePipelineBuilder { TimeProvider = clock };
        if (_retries > 0) builder.AddRetry(Strategy(options));
        _pipeline = builder.Build();
    }

    /// <exception cref="HubException">The last attempt failed too.</exception>
    public async Task<T> RunAsync<T>(HubName name, Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await _pipeline.ExecuteAsync(async token => await attempt(token).ConfigureAwait(false), cancellationToken)
                .ConfigureAwait(false);
        }
        catch (TransientFault e)
        {
            var times = _retries == 0 ? "" : $" It was tried {_retries + 1} times.";
            throw new HubException(e.Fault, name.ToString(), e.Message + times,
                "Check the connection, the proxy (HTTPS_PROXY) and the endpoint, or try again later.", e);
        }
    }

    private RetryStrategyOptions Strategy(HubOptions options) => new()
    {
        ShouldHandle = new PredicateBuilder().Handle<TransientFault>(),
        MaxRetryAttempts = options.Retries,
        BackoffType = DelayBackoffType.Exponential,
        UseJitter = true,
        Delay = options.RetryDelay,
        MaxDelay = LongestPause,
        DelayGenerator = arguments => ValueTask.FromResult((arguments.Outcome.Exception as TransientFault)?.RetryAfter),
        OnRetry = arguments =>
        {
            LogRetry(_logger, arguments.AttemptNumber + 1, arguments.Outcome.Exception?.Message ?? "", arguments.RetryDelay.TotalSeconds);
            return ValueTask.CompletedTask;
        },
    };

    [LoggerMessage(1, LogLevel.Warning, "Attempt {Attempt} failed: {Fault} The next one starts in {Seconds:0.0} s")]
    private static partial void LogRetry(ILogger logger, int attempt, string fault, double seconds);
}
