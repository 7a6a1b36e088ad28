using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Tool.Tests;

/// <summary>Commands as they are typed, what they write, and a folder to do it in.</summary>
public abstract class ToolTests : IDisposable
{
    /// <summary>The test's own folder.</summary>
    protected TemporaryFolder Folder { get; } = new();

    /// <summary>What the program wrote.</summary>
    protected StringWriter Output { get; } = new();

    /// <summary>What the program wrote to the error stream.</summary>
    protected StringWriter Errors { get; } = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        Output.Dispose();
        Errors.Dispose();
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs a command.</summary>
    /// <returns>The exit code.</returns>
    protected Task<int> Run(params string[] arguments) => Run(arguments, CancellationToken.None);

    /// <summary>Runs a command that may be stopped.</summary>
    /// <returns>The exit code.</returns>
    protected Task<int> Run(string[] arguments, CancellationToken cancellationToken) =>
        StableTuneProgram.RunAsync(arguments, new ToolConsole(Output, Errors, Display: null), cancellationToken);

    /// <summary>Writes pictures of a green ellipse to train with.</summary>
    /// <returns>The folder above theirs, as sd-scripts wants it.</returns>
    protected string TrainingImages(int count)
    {
        var folder = Folder.Folder(Path.Combine("img", "2_frog"));
        for (var i = 0; i < count; i++)
        {
            var picture = new Canvas(64, 64, PixelColor.FromRgb(0x302010 * (i + 1)));
            picture.FillEllipse(32, 32, 20, 16, PixelColor.FromRgb(0x40C040));
            ImageFile.SavePng(Path.Combine(folder, $"{i}.png"), picture.Image);
        }

        return Path.GetDirectoryName(folder)!;
    }
}
