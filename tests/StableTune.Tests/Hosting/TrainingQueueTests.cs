using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StableTune.Testing;

namespace StableTune.Tests.Hosting;

/// <summary>Trainings in a host's queue, worked through by the host itself.</summary>
public sealed class TrainingQueueTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Trainings_RunOneAfterTheOther_AndTellWhatTheyReached()
    {
        using var host = Host();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var (first, second) = (Enqueue(queue, "first"), Enqueue(queue, "second"));
        Assert.Equal([TrainingJobState.Queued, TrainingJobState.Queued], queue.Jobs.Select(job => job.Status.State));
        var seen = Seen(first);
        await host.StartAsync();
        await Task.WhenAll(first.Completion, second.Completion).WaitAsync(s_patience);

        Assert.Equal((TrainingJobState.Completed, null), (first.Status.State, first.Status.Fault));
        Assert.Equal([TinyRun.Output(_folder, "first")], first.Status.Files);
        Assert.Equal(first.Result!.Losses, first.LossesAfter().Select(step => step.Loss));
        Assert.Equal([3], first.LossesAfter(2).Select(step => step.Step));
        Assert.Equal(3, first.Status.Progress!.Step);
        Assert.True(first.Status.EndedAt <= second.Status.StartedAt);
        Assert.Same(second, queue.Find(second.Id));
        Assert.Null(queue.Find("none"));
        var states = (await seen).Select(status => status.State).ToList();
        Assert.Equal((TrainingJobState.Queued, TrainingJobState.Completed), (states[0], states[^1]));
        Assert.Contains(TrainingJobState.Running, states);
        await host.StopAsync();
    }

    [Fact]
    public void ATrainingThatCannotWork_IsRefusedWithAllProblems()
    {
        using var host = Host();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var error = Assert.Throws<InvalidOptionsException>(() => queue.Enqueue("wrong", builder => builder.WithLoRA(rank: 0)));
        Assert.Contains(error.Problems, problem => problem.Option == "LoRAOptions.Rank");
        Assert.True(error.Problems.Count > 1);
        Assert.Empty(queue.Jobs);
    }

    [Fact]
    public async Task AFault_EndsItsTrainingAlone()
    {
        using var host = Host();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var failing = queue.Enqueue("failing", builder => Describe(builder, "failing").WithObserver(new Recorder
        {
            Before = told => { if (told == "step 2") throw new InvalidOperationException("the second step is one too many"); },
        }));
        var after = Enqueue(queue, "after");
        await host.StartAsync();
        await after.Completion.WaitAsync(s_patience);
        Assert.Equal(TrainingJobState.Completed, after.Status.State);
        Assert.True(failing.Status.HasEnded);
        await host.StopAsync();
    }

    [Fact]
    public async Task Pause_Resume_Stop_AndCancel_AreSeenByThoseWhoWatch()
    {
        using var host = Host();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var job = Enqueue(queue, "steered", steps: 100_000);
        var (never, last) = (Enqueue(queue, "never"), Enqueue(queue, "cancelled", steps: 100_000));
        never.Cancel();
        Assert.Equal(TrainingJobState.Cancelled, never.Status.State);
        await never.Completion.WaitAsync(s_patience);

        await host.StartAsync();
        await Until(job, status => status.Progress is { Step: >= 2 });
        job.Pause();
        Assert.Equal(TrainingJobState.Paused, job.Status.State);
        await Until(job, status => status.State == TrainingJobState.Paused);
        job.Resume();
        var step = job.Status.Progress!.Step;
        await Until(job, status => status.Progress!.Step > step + 1);
        job.Stop();
        await job.Completion.WaitAsync(s_patience);
        Assert.Equal((TrainingJobState.Stopped, true), (job.Status.State, job.Result!.WasStopped));
        Assert.True(File.Exists(TinyRun.Output(_folder, "steered")));

        await Until(last, status => status.Progress is { Step: >= 1 });
        last.Cancel();
        await last.Completion.WaitAsync(s_patience);
        Assert.Equal((TrainingJobState.Cancelled, null, null), (last.Status.State, last.Status.Fault, last.Result));
        Assert.Contains(Directory.GetFiles(_folder.File("out")), file => file.Contains("cancelled-step", StringComparison.Ordinal));
        Assert.Null(never.Status.StartedAt);
        await host.StopAsync();
    }

    [Fact]
    public async Task Stop_WhileTheRunIsPrepared_IsNotForgotten()
    {
        using var host = Host();
        var job = Enqueue(host.Services.GetRequiredService<TrainingQueue>(), "early", steps: 100_000);
        await host.StartAsync();
        await Until(job, status => status.Progress is { Phase: TrainingPhase.Preparing });
        job.Stop();
        await job.Completion.WaitAsync(s_patience);
        Assert.Equal(TrainingJobState.Stopped, job.Status.State);
        Assert.True(job.Result!.Steps <= 1);
        await host.StopAsync();
    }

    [Fact]
    public async Task StoppingTheHost_SavesWhatRuns_AndRefusesMore()
    {
        using var host = Host();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var (job, waiting) = (Enqueue(queue, "interrupted", steps: 100_000), Enqueue(queue, "waiting"));
        await host.StartAsync();
        await Until(job, status => status.Progress is { Step: >= 1 });
        await host.StopAsync().WaitAsync(s_patience);
        Assert.Equal((TrainingJobState.Cancelled, TrainingJobState.Cancelled), (job.Status.State, waiting.Status.State));
        Assert.Contains(Directory.GetFiles(_folder.File("out")), file => file.Contains("interrupted-step", StringComparison.Ordinal));
        Assert.Contains("the host is stopping", Assert.Throws<InvalidOperationException>(() => Enqueue(queue, "late")).Message);
    }

    [Fact]
    public void TheQueue_IsBounded_AndForgetsWhatEndedLongAgo()
    {
        using var host = Host(options => (options.Capacity, options.KeepEnded) = (2, 1));
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        var jobs = new[] { Enqueue(queue, "a"), Enqueue(queue, "b") };
        var full = Assert.Throws<InvalidOperationException>(() => Enqueue(queue, "c"));
        Assert.Contains("TrainingQueueOptions.Capacity", full.Message);
        foreach (var job in jobs) job.Cancel();
        Assert.Equal([jobs[1].Id, Enqueue(queue, "c").Id], queue.Jobs.Select(job => job.Id));
    }

    [Fact]
    public async Task Metrics_GoToTheHostsFactory()
    {
        using var host = Host();
        var factory = host.Services.GetRequiredService<IMeterFactory>();
        var told = new List<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => { lock (told) told.Add(instrument.Name); });
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => { lock (told) told.Add($"{instrument.Name} {value}"); });
        listener.Start();
        var queue = host.Services.GetRequiredService<TrainingQueue>();
        // One that never begins has ended too.
        Enqueue(queue, "never").Cancel();
        var job = Enqueue(queue, "measured");
        listener.RecordObservableInstruments();
        await host.StartAsync();
        await job.Completion.WaitAsync(s_patience);
        await host.StopAsync();
        Assert.Contains("stabletune.queue.waiting 1", told);
        Assert.Equal(3, told.Count(name => name == "stabletune.training.steps"));
        Assert.Equal(2, told.Count(name => name == "stabletune.queue.trainings"));
    }

    [Fact]
    public async Task OptionsThatCannotWork_EndTheStart()
    {
        using var host = Host(options => options.Parallel = 0);
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("TrainingQueueOptions.Parallel is 0", error.Message);
    }

    private static IHost Host(Action<TrainingQueueOptions>? configure = null)
    {
        var builder = new HostApplicationBuilder();
        builder.Services.AddStableTune().AddTrainingQueue(configure);
        return builder.Build();
    }

    private TrainingJob Enqueue(TrainingQueue queue, string name, int steps = 3) =>
        queue.Enqueue(name, builder => Describe(builder, name, steps));

    private TrainerBuilder Describe(TrainerBuilder builder, string name, int steps = 3) => builder
        .WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).WithLoRA(rank: 1)
        .TrainUNetOnly().For(TrainingLength.Steps(steps)).SaveTo(TinyRun.Output(_folder, name));

    private static async Task<List<TrainingJobStatus>> Seen(TrainingJob job)
    {
        var all = new List<TrainingJobStatus>();
        await foreach (var status in job.WatchAsync()) all.Add(status);
        return all;
    }

    private static async Task Until(TrainingJob job, Func<TrainingJobStatus, bool> reached)
    {
        using var patience = new CancellationTokenSource(s_patience);
        await foreach (var status in job.WatchAsync(patience.Token))
            if (reached(status)) return;
        Assert.Fail($"the training ended before: {job.Status}");
    }
}
