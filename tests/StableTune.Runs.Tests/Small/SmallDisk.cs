using System.Diagnostics;

namespace StableTune.Tests;

/// <summary>A file system of a few megabytes in memory, which can be filled and made read-only. Only where one can be mounted.</summary>
internal sealed class SmallDisk : IDisposable
{
    private static readonly Lazy<bool> s_canBeHad = new(() =>
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root") return false;
        var folder = Directory.CreateTempSubdirectory("stabletune-disk").FullName;
        try
        {
            using var disk = new SmallDisk(folder, 1);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    });

    /// <summary>Mounts one.</summary>
    /// <param name="folder">An empty folder; it goes with the disk.</param>
    /// <param name="megabytes">Its size.</param>
    public SmallDisk(string folder, int megabytes)
    {
        Folder = folder;
        Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", folder);
    }

    /// <summary>Whether this machine lets tests mount one.</summary>
    public static bool CanBeHad => s_canBeHad.Value;

    /// <summary>Where it is.</summary>
    public string Folder { get; }

    private string Filler => Path.Combine(Folder, "filler");

    /// <summary>Leaves no byte free.</summary>
    public void Fill()
    {
        using var stream = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true) stream.Write(block);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Takes away what <see cref="Fill"/> has written.</summary>
    public void Clear() => File.Delete(Filler);

    /// <summary>Lets nothing more be written.</summary>
    public void MakeReadOnly() => Run("mount", "-o", "remount,ro", Folder);

    public void Dispose()
    {
        Run("umount", Folder);
        Directory.Delete(Folder);
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })
            ?? throw new InvalidOperationException($"{program} cannot be started.");
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program}: {errors}");
    }
}

/// <summary>A test that needs a small disk.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SmallDiskTheoryAttribute : TheoryAttribute
{
    public SmallDiskTheoryAttribute()
    {
        if (!SmallDisk.CanBeHad) Skip = "no small disk can be mounted here: it takes root on Linux";
    }
}
