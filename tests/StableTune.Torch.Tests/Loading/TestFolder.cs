using System.Diagnostics;

namespace StableTune.Torch.Tests.Loading;

/// <summary>A folder for one test, removed afterwards.</summary>
public sealed class TestFolder : IDisposable
{
    /// <summary>The folder's path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("stabletune-test-").FullName;

    /// <summary>A path in the folder.</summary>
    public string this[params string[] names] => System.IO.Path.Combine([Path, .. names]);

    /// <summary>Gives a file or folder to a user who does not run the tests; false where only the system's administrator may.</summary>
    public static bool TryGiveAway(string path)
    {
        using var change = Process.Start(new ProcessStartInfo("chown", ["-h", "65534", path]) { RedirectStandardError = true })!;
        change.WaitForExit();
        return change.ExitCode == 0;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
