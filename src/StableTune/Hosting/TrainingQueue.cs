using System.Diagnostics.Metrics;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace StableTune;

/// <summary>
/// Trainings of a host, one after the other: registered by <c>services.AddTrainingQueue()</c>, worked through by a background service.
/// A training is checked as a whole when it is put in. The queue lives in memory: after a restart a host puts its trainings in anew, and
/// with <see cref="TrainerBuilder.ResumeFromLatest"/> they go on where their last state was written.
/// </summary>
public sealed partial class TrainingQueue
{
    private readonly Lock _lock = new();
    private readonly Channel<TrainingJob> _waiting = Channel.CreateUnbounded<TrainingJob>();
    private readonly List<TrainingJob> _jobs = [];
    private readonly IServiceProvider _services;
    private readonly TrainingQueueOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Counter<long> _ended;
    private readonly Histogram<double> _duration;
    private int _count;
    private bool _isOver;

    /// <summary>Makes a queue of a host's services; see <c>services.AddTrainingQueue()</c>.</summary>
    /// <param name="services">Gives a fresh <see cref="TrainerBuilder"/> for each training, logger, clock and meters.</param>
    /// <param name="options">How many run at once, wait, and are remembered.</param>
    public TrainingQueue(IServiceProvider services, IOptions<TrainingQueueOptions> options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Value.Validate());
        (_services, _options) = (services, options.Value);
        _clock = services.GetService<TimeProvider>() ?? TimeProvider.System;
        _logger = services.GetService<ILogger<TrainingQueue>>() ?? NullLogger<TrainingQueue>.Instance;
        var meter = services.GetService<IMeterFactory>()?.Create(TrainingTelemetry.Name) ?? new Meter(TrainingTelemetry.Name);
        meter.CreateObservableGauge("stabletune.queue.waiting", () => Count(TrainingJobState.Queued), "{training}",
            "Trainings that wait");
        meter.CreateObservableGauge("stabletune.queue.running", () => Jobs.Count(IsRunning), "{training}",
            "Trainings that run or are paused");
        _ended = meter.CreateCounter<long>("stabletune.queue.trainings", "{training}", "Trainings that ended, by state");
        _duration = meter.CreateHistogram<double>("stabletune.queue.training.duration", "s", "Time of a training, by state");
    }

    /// <summary>The trainings, in the order in which they were put in: those that wait and run, and the latest of those that
    /// ended.</summary>
    public IReadOnlyList<TrainingJob> Jobs
    {
        get
        {
            lock (_lock) return [.. _jobs];
        }
    }

    /// <summary>The training of this identity; null where there is none, or none any more.</summary>
    public TrainingJob? Find(string id) => Jobs.FirstOrDefault(job => job.Id == id);

    /// <summary>Puts a training in.</summary>
    /// <param name="name">What people call it.</param>
    /// <param name="describe">Says what is trained, on a builder that has what all runs of the host share.</param>
    /// <param name="options">The name of the options that it shares (<c>AddStableTune("sdxl", ...)</c>); null for those without a
    /// name.</param>
    /// <exception cref="InvalidOptionsException">The training cannot work; the message lists every problem.</exception>
    /// <exception cref="InvalidOperationException">The queue is full, or the host is stopping.</exception>
    public TrainingJob Enqueue(string name, Action<TrainerBuilder> describe, string? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(describe);
        ThrowIfClosed();                                                     // before images are looked at
        var builder = options is null ? _services.GetRequiredService<TrainerBuilder>()
            : _services.GetRequiredKeyedService<TrainerBuilder>(options);
        describe(builder);
        var id = Interlocked.Increment(ref _count).ToString(CultureInfo.InvariantCulture);
        var job = new TrainingJob(id, name, builder, _clock);
        lock (_lock)
        {
            ThrowIfClosed();
            _jobs.Add(job);
            Forget();
            _waiting.Writer.TryWrite(job);
        }

        Enqueued(job.Id, name);
        return job;
    }

    /// <summary>Works through the queue until it is cancelled; the background service of a host does so. Then those that run are cancelled,
    /// which saves them, and those that wait never begin.</summary>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(Enumerable.Range(0, _options.Parallel).Select(_ => WorkAsync(cancellationToken))).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock) _isOver = true;
            foreach (var job in Jobs)
                if (job.CancelQueued()) Note(job);
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var job in _waiting.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (job.Status.HasEnded)                                     // cancelled while it waited
                {
                    Note(job);
                    continue;
                }

                Began(job.Id, job.Name);
                await job.RunAsync(cancellationToken).ConfigureAwait(false);
                Note(job);
                lock (_lock) Forget();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
    }

    private void Note(TrainingJob job)
    {
        var status = job.Status;
        var state = new KeyValuePair<string, object?>("state", status.State.ToString().ToLowerInvariant());
        _ended.Add(1, state);
        if (status is { StartedAt: { } from, EndedAt: { } to }) _duration.Record((to - from).TotalSeconds, state);
        if (status.Fault is { } fault) Failed(fault, job.Id, job.Name);
        else Ended(job.Id, job.Name, status.State);
    }

    private void ThrowIfClosed()
    {
        lock (_lock)
        {
            if (_isOver) throw new InvalidOperationException("The queue takes no trainings any more: the host is stopping.");
            if (Count(TrainingJobState.Queued) >= _options.Capacity)
                throw new InvalidOperationException($"{_options.Capacity} trainings wait already ({nameof(TrainingQueueOptions)}."
                    + $"{nameof(TrainingQueueOptions.Capacity)}): cancel some, or wait until one has ended.");
        }
    }

    /// <summary>Lets the oldest of those that ended go; called in the lock.</summary>
    private void Forget()
    {
        var ended = _jobs.Where(job => job.Status.HasEnded).ToList();
        foreach (var job in ended.Take(ended.Count - _options.KeepEnded)) _jobs.Remove(job);
    }

    private int Count(TrainingJobState state) => Jobs.Count(job => job.Status.State == state);

    private static bool IsRunning(TrainingJob job) => job.Status.State is TrainingJobState.Running or TrainingJobState.Paused;

    [LoggerMessage(1, LogLevel.Information, "Training {Id} ({Name}) waits for its turn")]
    private partial void Enqueued(string id, string name);

    [LoggerMessage(2, LogLevel.Information, "Training {Id} ({Name}) begins")]
    private partial void Began(string id, string name);

    [LoggerMessage(3, LogLevel.Information, "Training {Id} ({Name}) has ended: {State}")]
    private partial void Ended(string id, string name, TrainingJobState state);

    [LoggerMessage(4, LogLevel.Error, "Training {Id} ({Name}) failed")]
    private partial void Failed(Exception fault, string id, string name);
}
