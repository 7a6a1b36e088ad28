using StableTune.Formats;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Saves that are written while training goes on.</summary>
public sealed class BackgroundSaveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Kinds() => [.. TrainedKinds.Names];

    /// <summary>Kinds that wait for the disk too: an adapter, a whole model, weights that are exchanged for an average; all of them in the
    /// exhaustive run.</summary>
    private static readonly string[] s_waiting = ["LoRA", "model, a file", "average", "schedule-free"];

    /// <summary>Copies are of the moment that was saved, not of what is trained when they are written; and nothing is learnt otherwise. Nor
    /// is it where nothing has room among the copies, so that each update waits for the disk.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Train_WritesTheSameFiles_AsWithoutIt(string kind)
    {
        Assert.Empty(s_waiting.Except(TrainedKinds.Names));
        var held = TinyRun.HeldBefore();
        TrainerBuilder Run(string place) => TrainedKinds.Run(kind, _folder, _folder.File(place, "frog"))
            .SaveState(_folder.File(place, "state")).SaveEvery(steps: 1);
        var plain = Run("plain").Train();
        var recorder = new Recorder();
        var other = Run("background").SaveInBackground().SaveTo(new SlowSaver()).WithObserver(recorder).Train();
        List<(TrainingResult Result, string Place)> results = [(other, "background")];
        if (Exhaustive.IsOn || s_waiting.Contains(kind))
            results.Add((Run("waiting").WithSaving(save => save with { InBackground = true, MaxCopyBytes = 0 }).Train(), "waiting"));
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Equal(plain.Files.Select(Path.GetFileName), other.Files.Select(Path.GetFileName));
        // Each save is told once, after it was written.
        Assert.Equal(["save Step 1", "save Step 2", "save Step 3", "save Step 4", "save End 4"],
            recorder.Events.Where(entry => entry.StartsWith("save", StringComparison.Ordinal)));
        foreach (var (result, place) in results)
        {
            Assert.Equal(plain.Losses, result.Losses);
            foreach (var entry in Directory.GetFileSystemEntries(_folder.File("plain"))
                .Where(entry => !entry.EndsWith("-state", StringComparison.Ordinal)))
                SavedFiles.AssertSame(entry, Path.Combine(_folder.File(place), Path.GetFileName(entry)), kind);
            foreach (var file in Directory.GetFiles(_folder.File("plain"), "*.safetensors", SearchOption.AllDirectories)
                .Where(file => file.Contains("-state", StringComparison.Ordinal)))
                SavedFiles.AssertSame(file, file.Replace(_folder.File("plain"), _folder.File(place), StringComparison.Ordinal), kind);
            SavedFiles.AssertComplete(_folder.File(place));
        }
    }

    [Fact]
    public void Train_GoesOnWhileASaveIsWritten()
    {
        using var written = new ManualResetEventSlim();
        var saver = new SlowSaver(written.Wait);
        // The save of step 1 is not done before step 3 is.
        var result = TinyRun.Builder(_folder).For(TrainingLength.Steps(4)).WithSaving(s => s with { EveryNEpochs = null })
            .SaveTo(saver).SaveInBackground().WithControl(saver.Control)
            .WithObserver(new Recorder
            {
                Before = what =>
                {
                    if (what == "step 1") saver.Control.SaveNow();
                    if (what == "step 3") written.Set();
                },
            }).Train();
        Assert.Equal(4, result.Steps);
        Assert.Equal([SaveReason.Step, SaveReason.End], saver.Written);
    }

    [Fact]
    public void Train_ASaveFails_EndsTheRunWithTheReason_AndSavesAgain()
    {
        var saver = new SlowSaver(() => throw new IOException("/data/frog.safetensors: the disk is gone."));
        var recorder = new Recorder();
        var fault = Assert.Throws<IOException>(() => TinyRun.Builder(_folder).For(TrainingLength.Steps(50)).SaveTo(saver).SaveInBackground()
            .SaveEvery(steps: 2).WithObserver(recorder).Train());
        Assert.Equal("The save of step 2, which was written while training went on, failed: /data/frog.safetensors: the disk is gone.",
            fault.Message);
        Assert.Same(fault, Assert.Single(recorder.Ends).Fault);
        Assert.DoesNotContain("save Step 2", recorder.Events);
        Assert.Contains(recorder.Events, entry => entry.StartsWith("save Interrupted", StringComparison.Ordinal));
    }

    [Fact]
    public void Cancel_WaitsForWhatIsBeingWritten()
    {
        using var source = new CancellationTokenSource();
        var saver = new SlowSaver(() => Thread.Sleep(200));
        var recorder = new Recorder();
        Assert.ThrowsAny<OperationCanceledException>(() => TinyRun.Builder(_folder).SaveTo(saver).SaveInBackground().SaveEvery(steps: 1)
            .WithObserver(recorder).Train(Reports.CancelAt(2, source), source.Token));
        Assert.Equal([SaveReason.Step, SaveReason.Step, SaveReason.Interrupted], saver.Written);
        Assert.Equal(["save Step 1", "save Step 2", "save Interrupted 2", "end 2"], recorder.Events.Where(entry =>
            entry.StartsWith("save", StringComparison.Ordinal) || entry.StartsWith("end", StringComparison.Ordinal)));
    }

    /// <summary>What is trained and what the optimizer remembers are read where they are; only where an average takes the place of what is
    /// trained, all is copied at once.</summary>
    [Theory]
    [InlineData("LoRA", false)]
    [InlineData("model, a file", false)]
    [InlineData("average", true)]
    [InlineData("schedule-free", true)]
    public void Train_CopiesAtOnce_WhereWeightsAreExchangedAlone(string kind, bool atOnce)
    {
        var saver = new WatchedStates(_folder.File("out", "state"));
        TrainedKinds.Run(kind, _folder, _folder.File("out", "frog")).SaveTo(saver)
            .WithSaving(save => save with { EveryNSteps = 1, EveryNEpochs = null, InBackground = true }).Train();
        var state = Directory.GetFiles(_folder.File("out", "state-state"), "optimizer.safetensors").Sum(file => new FileInfo(file).Length);
        Assert.Equal(4, saver.Copied.Count);
        Assert.All(saver.Copied, bytes => Assert.Equal(atOnce, bytes > state));
    }

    [Fact]
    public void OnSave_TellsHowLongTheRunStoodStill()
    {
        List<SaveMoment> Saves(bool background)
        {
            var recorder = new Recorder();
            TinyRun.Builder(_folder).For(TrainingLength.Steps(2)).Overwrite().SaveTo(new SleepingSaver())
                .WithSaving(save => save with { EveryNSteps = 1, InBackground = background }).WithObserver(recorder).Train();
            return recorder.Saves;
        }

        var (atOnce, background) = (Saves(background: false), Saves(background: true));
        Assert.Equal(3, atOnce.Count);
        Assert.All(atOnce, moment => Assert.True(moment.Pause >= SleepingSaver.Time, $"{moment.Reason}: {moment.Pause}"));
        Assert.Equal([SaveReason.Step, SaveReason.Step, SaveReason.End], background.Select(moment => moment.Reason));
        Assert.All(background, moment => Assert.True(moment.Pause > TimeSpan.Zero));
        Assert.True(background[^1].Pause >= SleepingSaver.Time);
    }

    /// <summary>What is larger than copies may be is written at once, and what cannot be copied.</summary>
    [Fact]
    public void Train_CopiesWouldTakeTooMuch_WritesAtOnce()
    {
        var recorder = new Recorder();
        TinyRun.Builder(_folder).WithSaving(save => save with { InBackground = true, MaxCopyBytes = 1000, EveryNSteps = 1 })
            .SaveState(_folder.File("out", "state")).WithObserver(recorder).Train();
        Assert.Contains("tiny-step00000001.safetensors", TinyRun.Written(_folder));
        SavedFiles.AssertComplete(_folder.File("out"));
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).Overwrite()
            .WithSaving(save => save with { MaxCopyBytes = -1 }).Build()).Problems);
        Assert.Equal("SaveOptions.MaxCopyBytes", problem.Option);
    }

    [Fact]
    public void KeepLast_HoldsForSavesInBackground()
    {
        TinyRun.Builder(_folder).For(TrainingLength.Steps(4)).SaveInBackground().SaveState(_folder.File("out", "state"), keepLast: 2)
            .WithSaving(save => save with { EveryNSteps = 1, KeepLastSteps = 1 }).Train();
        Assert.Equal(["state-state", "state-step00000003-state", "state-step00000004-state"],
            Directory.GetDirectories(_folder.File("out")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(["tiny-step00000003.safetensors", "tiny-step00000004.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
    }

    /// <summary>Notes what was copied when a state was taken.</summary>
    private sealed class WatchedStates(string path) : ISaver
    {
        private readonly StateSaver _states = new(path);

        public List<long> Copied { get; } = [];

        public IReadOnlyList<string> Save(SaveMoment moment) => _states.Save(moment);

        public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies)
        {
            var before = copies.Bytes;
            var write = _states.Prepare(moment, copies);
            if (write is not null && moment.PrepareState is not null) Copied.Add(copies.Bytes - before);
            return write;
        }
    }

    /// <summary>Sleeps, on whatever thread.</summary>
    private sealed class SleepingSaver : ISaver
    {
        // A clock may be a tick short.
        public static readonly TimeSpan Time = TimeSpan.FromMilliseconds(98);

        public IReadOnlyList<string> Save(SaveMoment moment)
        {
            Thread.Sleep(100);
            return [];
        }

        public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies) => () => Save(moment);
    }

    /// <summary>Takes its time, on the thread that writes.</summary>
    private sealed class SlowSaver(Action? whileWriting = null) : ISaver
    {
        private readonly List<SaveReason> _written = [];

        public TrainingControl Control { get; } = new();

        public SaveReason[] Written
        {
            get
            {
                lock (_written) return [.. _written];
            }
        }

        public IReadOnlyList<string> Save(SaveMoment moment)
        {
            lock (_written) _written.Add(moment.Reason);
            return [];
        }

        public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies)
        {
            var training = Environment.CurrentManagedThreadId;
            return () =>
            {
                Assert.NotEqual(training, Environment.CurrentManagedThreadId);
                whileWriting?.Invoke();
                if (whileWriting is null) Thread.Sleep(20);
                return Save(moment);
            };
        }
    }
}
