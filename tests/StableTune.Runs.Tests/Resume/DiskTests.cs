using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Resume;

/// <summary>Disks that are full, or cannot be written to any more, in the middle of a run.</summary>
public sealed class DiskTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SmallDiskTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_TheDiskIsFull_SaysSo_KeepsTheSaveBefore_AndGoesOnFromIt(bool background)
    {
        using var disk = new SmallDisk(_folder.Folder("disk"), megabytes: 16);
        var filling = new Recorder { Before = what => { if (what == "save Step 2") disk.Fill(); } };
        var fault = Assert.ThrowsAny<IOException>(() => Run(disk.Folder, background).WithObserver(filling).Train());
        Assert.Contains("There is no space left on the disk for", fault.Message, StringComparison.Ordinal);
        Assert.Contains(disk.Folder, fault.Message, StringComparison.Ordinal);
        AssertGoesOn(disk);
    }

    [SmallDiskTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_TheFolderBecomesReadOnly_NamesIt_AndKeepsTheSaveBefore(bool background)
    {
        using var disk = new SmallDisk(_folder.Folder("disk"), megabytes: 16);
        var locking = new Recorder { Before = what => { if (what == "save Step 2") disk.MakeReadOnly(); } };
        var fault = Assert.ThrowsAny<IOException>(() => Run(disk.Folder, background).WithObserver(locking).Train());
        Assert.Contains(disk.Folder, fault.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", fault.Message, StringComparison.Ordinal);
        SavedFiles.AssertComplete(disk.Folder);
        Assert.Contains("state-step00000002-state", Directory.GetDirectories(disk.Folder).Select(Path.GetFileName));
        // Nothing can be written there from the beginning on: the run does not start.
        var problems = Assert.Throws<InvalidOptionsException>(() => Run(disk.Folder, background).Build()).Problems;
        Assert.Contains(problems, problem => problem.Option == "TrainableSaver.Path");
        Assert.Contains(problems, problem => problem.Option == "StateSaver.Path");
    }

    private void AssertGoesOn(SmallDisk disk)
    {
        SavedFiles.AssertComplete(disk.Folder);
        Assert.Equal(["state-step00000001-state", "state-step00000002-state"],
            Directory.GetDirectories(disk.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.GetFiles(disk.Folder, "*.tmp", new EnumerationOptions { AttributesToSkip = FileAttributes.None }));
        disk.Clear();
        var resumed = Run(disk.Folder, background: false).ResumeFromLatest(disk.Folder).Train();
        var whole = Run(_folder.Folder("whole"), background: false).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    private TrainerBuilder Run(string folder, bool background) => TinyRun.Bare(_folder).WithImages(TinyRun.Images(_folder), resolution: 64)
        .WithBatchSize(2).For(TrainingLength.Steps(30)).Overwrite().SaveTo(Path.Combine(folder, "frog.safetensors"))
        .SaveState(Path.Combine(folder, "state"), keepLast: 2).SaveEvery(steps: 1).SaveInBackground(background);
}
