using System.Runtime.ExceptionServices;

namespace StableTune.Data;

/// <summary>
/// Produces items 0 to count - 1 on worker threads and hands them out in order. No more than a fixed number are under way or
/// waiting at once. An exception reaches the consumer when the item's turn comes. Disposal stops and joins the workers.
/// </summary>
/// <typeparam name="T">The items; those never handed out are given to <c>discard</c>.</typeparam>
internal sealed class OrderedPrefetch<T> : IDisposable where T : class
{
    private readonly object _gate = new();
    private readonly Dictionary<int, (T? Item, ExceptionDispatchInfo? Error)> _ready = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<int, CancellationToken, T> _produce;
    private readonly Action<T> _discard;
    private readonly Thread[] _threads;
    private readonly int _count;
    private readonly int _capacity;
    private int _taken;
    private int _handedOut;
    private bool _stopped;

    /// <param name="count">How many items there are.</param>
    /// <param name="workers">Threads; with 0 the consumer's thread does the work when it asks.</param>
    /// <param name="capacity">Items under way or waiting at most.</param>
    /// <param name="produce">Makes an item; called on any worker.</param>
    /// <param name="discard">Frees an item that nobody will ask for.</param>
    internal OrderedPrefetch(int count, int workers, int capacity, Func<int, CancellationToken, T> produce, Action<T> discard)
    {
        (_count, _capacity, _produce, _discard) = (count, Math.Max(1, capacity), produce, discard);
        _threads = [.. Enumerable.Range(1, Math.Min(workers, Math.Min(_capacity, count)))
            .Select(number => new Thread(Work) { IsBackground = true, Name = $"StableTune data {number}" })];
        foreach (var thread in _threads) thread.Start();
    }

    /// <summary>The next item, when it is ready; null after the last one.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    internal T? Next(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_handedOut == _count) return null;
        ObjectDisposedException.ThrowIf(_stopped, this);
        if (_threads.Length == 0) return _produce(_handedOut++, cancellationToken);

        using var wake = cancellationToken.Register(Wake);
        (T? Item, ExceptionDispatchInfo? Error) next;
        lock (_gate)
        {
            while (!_ready.Remove(_handedOut, out next))
            {
                cancellationToken.ThrowIfCancellationRequested();
                ObjectDisposedException.ThrowIf(_stopped, this);
                Monitor.Wait(_gate);
            }

            _handedOut++;
            Monitor.PulseAll(_gate);
        }

        next.Error?.Throw();
        return next.Item;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopped) return;
            _stopped = true;
            Monitor.PulseAll(_gate);
        }

        _stop.Cancel();
        foreach (var thread in _threads) thread.Join();
        foreach (var (item, _) in _ready.Values)
            if (item is not null) _discard(item);
        _ready.Clear();
        _stop.Dispose();
    }

    private void Work()
    {
        while (Take() is { } index)
        {
            (T? Item, ExceptionDispatchInfo? Error) result;
            try
            {
                result = (_produce(index, _stop.Token), null);
            }
            catch (Exception e)                                              // whatever it is, it belongs to the consumer
            {
                result = (null, ExceptionDispatchInfo.Capture(e));
            }

            lock (_gate)
            {
                _ready[index] = result;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private int? Take()
    {
        lock (_gate)
        {
            while (!_stopped && _taken < _count && _taken >= _handedOut + _capacity) Monitor.Wait(_gate);
            return _stopped || _taken == _count ? null : _taken++;
        }
    }

    private void Wake()
    {
        lock (_gate) Monitor.PulseAll(_gate);
    }
}
