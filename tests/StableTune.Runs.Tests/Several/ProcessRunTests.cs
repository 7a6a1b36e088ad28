using System.Net;
using System.Net.Sockets;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Several;

/// <summary>Several processes over TCP, here as threads of one process: they share nothing but their sockets and files.</summary>
public sealed class ProcessRunTests : IDisposable
{
    private static int s_ports;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("cached")]
    [InlineData("live")]
    [InlineData("word")]
    [InlineData("whole")]
    public async Task Train_TwoProcesses_LearnWhatOneLearnsFromTwiceTheBatch(string kind)
    {
        var one = Builder(kind, "one", batch: 4).On("cpu").Train();
        var two = await TogetherAsync(2, rank => Builder(kind, "two", batch: 2).On("cpu"));
        SharedRuns.AssertClose(one, two[0]);
        Assert.Equal(two[0].Losses, two[1].Losses);
        // The first saves.
        Assert.Empty(two[1].Files);
        Assert.All(two, result => Assert.True(result.BytesSent > 1000, $"{result.BytesSent} bytes were sent"));
    }

    [Fact]
    public async Task Train_TwoProcessesOfTwoDevices_LearnWhatOneLearnsFromFourTimesTheBatch()
    {
        var one = Builder("live", "one", batch: 4).On("cpu").Train();
        var four = await TogetherAsync(2, rank => Builder("live", "four", batch: 1).On("cpu,cpu"));
        SharedRuns.AssertClose(one, four[0]);
    }

    /// <summary>Eight images make batches of three, three and two: of the last, one process has none.</summary>
    [Fact]
    public async Task Train_ThreeProcesses_CountAShortBatchBySample()
    {
        var one = Builder("cached", "one", batch: 3).On("cpu").Train();
        var three = await TogetherAsync(3, rank => Builder("cached", "three", batch: 1).On("cpu"));
        SharedRuns.AssertClose(one, three[0]);
    }

    [Fact]
    public async Task Train_AgainWithTheSameNumber_GivesTheSameBits_InEveryProcess()
    {
        var models = new List<float[]>();
        for (var i = 0; i < 2; i++)
        {
            foreach (var result in await TogetherAsync(3, rank => Builder("live", $"again{i}", batch: 1).On("cpu").KeepModel()))
            {
                models.Add([.. result.Trainables[0].Instance.Groups.SelectMany(group => group.Parameters)
                    .SelectMany(parameter => parameter.Value.data<float>().ToArray())]);
                result.Dispose();
            }
        }

        Assert.All(models, weights => Assert.Equal(models[0], weights));
    }

    [Fact]
    public async Task Resume_TwoProcesses_GoOn_AndSoDoesOne()
    {
        TrainerBuilder Run(string name, int steps, int batch) => Builder("live", name, batch).On("cpu").For(TrainingLength.Steps(steps));
        var state = _folder.File("states", "frog-state");
        var whole = await TogetherAsync(2, rank => Run("whole", 4, 2));
        await TogetherAsync(2, rank => Run("begun", 2, 2).SaveState(_folder.File("states", "frog")));
        var two = await TogetherAsync(2, rank => Run("two", 4, 2).ResumeFrom(state));
        Assert.Equal(whole[0].Losses, two[0].Losses);
        Assert.Equal(TinyRun.Weights(whole[0].Files[0]), TinyRun.Weights(two[0].Files[0]));
        SharedRuns.AssertClose(whole[0], Run("one", 4, 4).ResumeFrom(state).Train());
    }

    [Fact]
    public async Task Train_AProcessWithOtherOptions_IsRefused_WithTheDifference()
    {
        var faults = await FaultsAsync(2, rank => Builder("cached", "other", 1).On("cpu").WithLearningRate(rank == 0 ? 0.05 : 0.06));
        Assert.All(faults, fault =>
        {
            Assert.StartsWith("process 1 (", fault.Message, StringComparison.Ordinal);
            Assert.Contains(") was started with other options:", fault.Message, StringComparison.Ordinal);
            Assert.Contains("LearningRate is 0.06 there, and 0.05 in process 0", fault.Message, StringComparison.Ordinal);
        });
    }

    /// <summary>A model of the same family, with the same text encoder and VAE.</summary>
    [Fact]
    public async Task Train_AProcessWithAnotherUNet_IsRefused()
    {
        var (model, other) = (SmallRun.Model(_folder), _folder.Folder("other"));
        foreach (var file in Directory.GetFiles(model, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(other, Path.GetRelativePath(model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        var weights = Path.Combine(other, "unet", "diffusion_pytorch_model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        bytes.AsSpan(bytes.Length / 2).Clear();
        File.WriteAllBytes(weights, bytes);
        var faults = await FaultsAsync(2, rank => Builder("cached", "other", 1).On("cpu").WithModel(rank == 0 ? model : other));
        Assert.All(faults, fault => Assert.Contains("Model's weights is ", fault.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task SampleNow_InAnotherProcess_DrawsNothing()
    {
        var control = new TrainingControl();
        var results = await TogetherAsync(2, rank =>
        {
            var builder = Builder("cached", "sampled", 1).On("cpu").WithClock(new ManualClock()).WithSamples(new SampleOptions
            {
                Folder = _folder.File("samples"), Before = false, After = false, EveryNSteps = 2,
                Prompts = [new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1 }],
            });
            builder.Change(plan => plan with { Stages = plan.Stages with { Latents = new Does(rank == 0 ? null : control.SampleNow) } });
            return rank == 0 ? builder : builder.WithControl(control);
        });
        Assert.Equal(["000002_00_20260304050607_0.png", "contact-sheet.png"], results[0].Samples.Select(Path.GetFileName));
        Assert.Equal(2, Directory.GetFiles(_folder.File("samples")).Length);
    }

    [Fact]
    public async Task Cancel_OfAPausedProcess_CancelsAll()
    {
        using var source = new CancellationTokenSource();
        var control = new TrainingControl();
        var port = FreePort();
        Task<Exception?> Start(int rank) => RunAsync(() =>
        {
            var builder = Builder("cached", "paused", 1).On("cpu").For(TrainingLength.Steps(50));
            void Pause()
            {
                control.Pause();
                source.CancelAfter(200);
            }

            builder.Change(plan => plan with { Stages = plan.Stages with { Latents = new Does(rank == 0 ? null : Pause) } });
            if (rank == 1) builder.WithControl(control);
            Of(rank, 2, port, builder).Train(cancellationToken: rank == 1 ? source.Token : default);
        });
        var faults = await Task.WhenAll(Start(0), Start(1));
        Assert.All(faults, fault => Assert.IsAssignableFrom<OperationCanceledException>(fault));
    }

    [Fact]
    public async Task Train_AFaultInOneProcess_EndsTheOthersWithItsName_AndTheFirstSavesWhatItHas()
    {
        var faults = await AllFaultsAsync(2, rank =>
            Builder("cached", "faulty", 1).On("cpu").For(TrainingLength.Steps(20)).Change(plan => plan with
            {
                Stages = plan.Stages with { Latents = new Fails(rank == 0 ? int.MaxValue : 3) },
            }));
        Assert.IsType<IOException>(faults[1]);
        var told = Assert.IsType<ProcessGroupException>(faults[0]);
        Assert.Equal(1, told.Rank);
        Assert.Contains("has ended: IOException: the disk is gone", told.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("out", "faulty-step00000003.safetensors")), string.Join(", ", TinyRun.Written(_folder)));
    }

    [Fact]
    public async Task Cancel_InAnyProcess_EndsAllAfterTheSameStep()
    {
        using var source = new CancellationTokenSource();
        var seen = new int[2];
        var port = FreePort();
        Task<Exception?> Start(int rank) => RunAsync(() => Of(rank, 2, port, Builder("cached", "cancelled", 1).On("cpu")
            .For(TrainingLength.Steps(50))).Train(rank == 0 ? new Reports(r =>
            {
                if (r.Phase == TrainingPhase.Training && r.Step == 3) source.Cancel();
                seen[0] = r.Step;
            }) : null, rank == 1 ? source.Token : default));
        var faults = await Task.WhenAll(Start(0), Start(1));
        Assert.All(faults, fault => Assert.IsAssignableFrom<OperationCanceledException>(fault));
        Assert.InRange(seen[0], 3, 4);
        Assert.True(File.Exists(_folder.File("out", $"cancelled-step{seen[0]:D8}.safetensors")),
            string.Join(", ", TinyRun.Written(_folder)));
    }

    [Fact]
    public async Task Stop_AndRatesOfTheFirst_HoldInAll()
    {
        var control = new TrainingControl();
        var results = await TogetherAsync(2, rank =>
        {
            var builder = Builder("cached", "stopped", 1).On("cpu").For(TrainingLength.Steps(50));
            return rank == 1 ? builder : builder.WithControl(control)
                .WithObserver(new Recorder { Before = what => { if (what == "step 3") control.Stop(); } });
        });
        Assert.All(results, result => Assert.True(result is { WasStopped: true, Steps: 3 }, $"{result.Steps} steps"));
    }

    /// <summary>Each process encodes its part, in memory and in files, and what comes of it is the same.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Train_CachesAreSharedOut(bool onDisk)
    {
        TrainerBuilder Run(string name, int batch) => Builder("cached", name, batch).On("cpu").TrainUNetOnly()
            .WithCache(cache => cache with
            {
                Latents = true, TextEncoderOutputs = true, LatentsToDisk = onDisk, TextEncoderOutputsToDisk = onDisk,
                Directory = onDisk ? _folder.File("cache", name) : null,
            });
        var one = Run("one", 4).Train();
        var encoded = new int[2];
        var two = await TogetherAsync(2, rank => Run("two", 2), rank => new Reports(r =>
        {
            if (r.Work is { Stage: "caching latents" } work) encoded[rank] = work.Total;
        }));
        SharedRuns.AssertClose(one, two[0]);
        // The first is the one that tells.
        Assert.Equal(4, encoded[0]);
    }

    [Fact]
    public async Task Train_SamplePromptsAreSharedOut_AndTheFirstWritesThem()
    {
        TextToImageOptions Prompt(string text) => new() { Prompt = text, Width = 64, Height = 64, Steps = 1, Seed = 3 };
        TrainerBuilder Run(string name, int batch) => Builder("cached", name, batch).On("cpu").For(TrainingLength.Steps(1))
            .WithClock(new ManualClock()).WithSamples(_folder.File(name), Prompt("a frog"), Prompt("a fly"), Prompt("a pond"));
        var one = Run("one", 4).Train();
        var two = await TogetherAsync(2, rank => Run("two", 2));
        Assert.Equal(one.Samples.Select(Path.GetFileName), two[0].Samples.Select(Path.GetFileName));
        Assert.Empty(two[1].Samples);
        // Before the first step the weights are the same.
        foreach (var (expected, actual) in one.Samples.Zip(two[0].Samples).Where(pair => Path.GetFileName(pair.First)!
            .StartsWith("000000_", StringComparison.Ordinal)))
            Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(actual));
    }

    private TrainerBuilder Builder(string kind, string name, int batch) => SharedRuns.Builder(_folder, kind, name, batch);

    private static TrainerBuilder Of(int rank, int count, int port, TrainerBuilder builder) => builder
        .WithProcesses(new TcpProcesses { Rank = rank, Count = count, Port = port })
        .WithDistributed(distributed => distributed with { Timeout = TimeSpan.FromMinutes(1) });

    private async Task<TrainingResult[]> TogetherAsync(int count, Func<int, TrainerBuilder> builder, Func<int, Reports>? progress = null)
    {
        var port = FreePort();
        Trainer[] trainers = [.. Enumerable.Range(0, count).Select(rank => Of(rank, count, port, builder(rank)).Build())];
        return await Task.WhenAll(trainers.Select((trainer, rank) => trainer.TrainAsync(progress?.Invoke(rank))));
    }

    private async Task<ProcessGroupException[]> FaultsAsync(int count, Func<int, TrainerBuilder> builder) =>
        [.. (await AllFaultsAsync(count, builder)).Select(Assert.IsType<ProcessGroupException>)];

    private async Task<Exception?[]> AllFaultsAsync(int count, Func<int, TrainerBuilder> builder)
    {
        var port = FreePort();
        Trainer[] trainers = [.. Enumerable.Range(0, count).Select(rank => Of(rank, count, port, builder(rank)).Build())];
        return await Task.WhenAll(trainers.Select(trainer => RunAsync(() => trainer.Train())));
    }

    private static Task<Exception?> RunAsync(Action run) => Task.Factory.StartNew(() =>
    {
        try
        {
            run();
            return null;
        }
        catch (Exception fault)
        {
            return fault;
        }
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    internal static int FreePort()
    {
        for (var tries = 0; ; tries++)
        {
            // Systems give none of these to connections, which would take it meanwhile, and tests in another process have others.
            var port = 20_000 + 20 * (Environment.ProcessId % 500) + (Interlocked.Increment(ref s_ports) % 20);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException) when (tries < 100)
            {
                // Somebody's server.
            }
        }
    }

    /// <summary>Does something in each step.</summary>
    private sealed class Does(Action? action) : ILatentStage
    {
        public Tensor Latents(Data.Batch batch)
        {
            action?.Invoke();
            return batch.Latents!.alias();
        }
    }

    /// <summary>Latents that are gone after some steps.</summary>
    private sealed class Fails(int steps) : ILatentStage
    {
        private int _left = steps;

        public Tensor Latents(Data.Batch batch) => _left-- > 0 ? batch.Latents!.alias() : throw new IOException("the disk is gone");
    }
}
