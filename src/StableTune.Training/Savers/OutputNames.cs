using System.Buffers;

namespace StableTune.Training;

/// <summary>The paths of a run's results.</summary>
public static class OutputNames
{
    private static readonly string[] s_endings = [".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".npz"];
    private static readonly SearchValues<char> s_letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>The path for a moment, as the run's <see cref="SaveOptions.Naming"/> has it.</summary>
    /// <param name="finalPath">The path of the last file, for instance "out/frog.safetensors".</param>
    /// <param name="moment">When it is saved.</param>
    public static string For(string finalPath, SaveMoment moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        return moment.Plan.Save.Naming.For(finalPath, moment);
    }

    /// <summary>The paths of earlier moments that are not kept any more once this one is saved; they need not exist.</summary>
    /// <param name="finalPath">The path of the last file.</param>
    /// <param name="moment">The moment that was saved.</param>
    /// <param name="epochs">Epochs whose files are kept; null for all.</param>
    /// <param name="steps">Steps whose files are kept; null for all.</param>
    /// <remarks>As sd-scripts: of epochs the one that many saves ago, of steps the last save before that many steps.</remarks>
    public static IEnumerable<string> Outdated(string finalPath, SaveMoment moment, int? epochs, int? steps)
    {
        ArgumentNullException.ThrowIfNull(moment);
        var save = moment.Plan.Save;
        if (moment.Reason == SaveReason.Epoch && save.Naming.NumbersEpochs && epochs is { } keptEpochs
            && save.EpochsBetween(moment.TotalEpochs) is { } between
            && moment.Epoch - (between * keptEpochs) is > 0 and var epoch)
            yield return For(finalPath, moment with { Epoch = epoch });
        if (moment.Reason == SaveReason.Step && save.Naming.NumbersSteps && steps is { } keptSteps && save.EveryNSteps is { } every
            && (moment.Step - keptSteps - 1) / every * every is > 0 and var step)
            yield return For(finalPath, moment with { Step = step });
    }

    /// <summary>The path of another form of a result: <c>frog-ema.safetensors</c>.</summary>
    /// <param name="path">The usual path.</param>
    /// <param name="variant">What the form is called; null for the usual one.</param>
    internal static string OfVariant(string path, string? variant) => variant is null ? path : Path.Combine(
        Path.GetDirectoryName(path) ?? "", $"{StemOf(path)}-{variant}{EndingOf(path)}");

    /// <summary>The ending of a file: a customary one, or up to four letters, as a host's own kinds of files have (<c>note.txt</c>). None
    /// for a folder, whose name may have dots (<c>frog-v1.5</c>).</summary>
    internal static string EndingOf(string path) =>
        Path.GetExtension(path) is { Length: > 1 } ending
        && (s_endings.Contains(ending, StringComparer.OrdinalIgnoreCase)
            || (ending.Length <= 5 && !ending.AsSpan(1).ContainsAnyExcept(s_letters))) ? ending : "";

    /// <summary>The name without the ending.</summary>
    internal static string StemOf(string path) => Path.GetFileName(path)[..^EndingOf(path).Length];
}
