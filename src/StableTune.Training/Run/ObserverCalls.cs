using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StableTune.Training;

/// <summary>
/// Tells observers and the progress of a run what happens. What they throw does not reach the run: it is logged, once for each kind,
/// counted, and ends the run only where the plan or the observer says so, between two steps. That a run is to be cancelled gets through.
/// </summary>
internal sealed partial class ObserverCalls(
    IReadOnlyList<ITrainingObserver> observers, IProgress<TrainingProgress>? progress, TrainingPlan plan)
{
    private readonly OrderedDictionary<(object Who, string What, Type Fault), (int Count, Exception First)> _faults = [];
    private readonly ILogger _logger = plan.Logger ?? NullLogger.Instance;
    private Exception? _ending;

    /// <summary>What was thrown so far.</summary>
    public IReadOnlyList<ObserverFault> Faults =>
        [.. _faults.Select(fault => new ObserverFault(NameOf(fault.Key.Who), fault.Key.What, fault.Value.Count, fault.Value.First))];

    /// <summary>Whether something was thrown that is to end the run.</summary>
    public bool IsEnding => _ending is not null;

    /// <summary>Tells every observer.</summary>
    /// <param name="what">What happened, as the member is called.</param>
    /// <param name="tell">Calls the member.</param>
    public void Tell(string what, Action<ITrainingObserver> tell)
    {
        foreach (var observer in observers) Try(observer, what, () => tell(observer));
    }

    /// <summary>Tells the progress.</summary>
    public void Report(TrainingProgress value)
    {
        if (progress is not null) Try(progress, nameof(IProgress<>.Report), () => progress.Report(value));
    }

    /// <summary>Does something for an observer, or for the progress.</summary>
    /// <returns>Whether it threw nothing.</returns>
    public bool Try(object who, string what, Action act)
    {
        try
        {
            act();
            return true;
        }
        catch (OperationCanceledException cancelled)
        {
            _ending ??= cancelled;
        }
        catch (Exception fault)                                              // hosts' code: it may throw anything
        {
            var key = (who, what, fault.GetType());
            var known = _faults.TryGetValue(key, out var before);
            _faults[key] = known ? (before.Count + 1, before.First) : (1, fault);
            if (!known) ObserverFailed(_logger, fault, NameOf(who), what);
            if (plan.StopOnObserverFault || who is ITrainingObserver { FaultsEndTheRun: true }) _ending ??= fault;
        }

        return false;
    }

    /// <summary>Throws, once, what is to end the run.</summary>
    public void ThrowIfEnding()
    {
        if (Interlocked.Exchange(ref _ending, null) is { } fault) ExceptionDispatchInfo.Throw(fault);
    }

    private static string NameOf(object who) => who.GetType().Name;

    [LoggerMessage(12, LogLevel.Error,
        "{Observer} failed in {Event}; the run does not depend on it. Further faults of this kind are counted, not told")]
    private static partial void ObserverFailed(ILogger logger, Exception fault, string observer, string @event);
}
