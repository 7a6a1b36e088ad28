using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>A copy of sd-trainer's layout for each test, and no tensor left by any.</summary>
public abstract class SdTrainerLayout : IDisposable
{
    private readonly long _liveBefore = Held;

    protected SdTrainerLayout()
    {
        foreach (var file in Directory.GetFiles(Original, "*", SearchOption.AllDirectories))
        {
            var copy = Folder.File(Path.GetRelativePath(Original, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>The fixture itself.</summary>
    protected static string Original { get; } = Fixtures.Path("data", "latents_cache", "sd_trainer_layout");

    /// <summary>The copy.</summary>
    protected TemporaryFolder Folder { get; } = new();

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => TensorCount.Live;

    public void Dispose()
    {
        Folder.Dispose();
        Assert.Equal(_liveBefore, Held);
        GC.SuppressFinalize(this);
    }
}
