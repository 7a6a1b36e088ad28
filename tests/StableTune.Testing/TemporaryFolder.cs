namespace StableTune.Testing;

/// <summary>A folder for one test, removed with all it holds at the end.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>The folder's full path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("stabletune-test-").FullName;

    /// <summary>A path below the folder; nothing is created.</summary>
    public string File(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A folder below this one, created.</summary>
    public string Folder(params string[] parts) => Directory.CreateDirectory(File(parts)).FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
