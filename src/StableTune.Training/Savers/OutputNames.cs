using System.Globalization;

namespace StableTune.Training;

/// <summary>File names as sd-scripts gives them: <c>name-000002</c> for an epoch, <c>name-step00000100</c> for a step, <c>name</c> at the
/// end.</summary>
public static class OutputNames
{
    /// <summary>The path for a moment, beside the final path.</summary>
    /// <param name="finalPath">The path of the last file, for instance "out/frog.safetensors".</param>
    /// <param name="moment">When it is saved.</param>
    public static string For(string finalPath, SaveMoment moment)
    {
        var suffix = moment.Reason switch
        {
            SaveReason.End => "",
            SaveReason.Epoch => string.Create(CultureInfo.InvariantCulture, $"-{moment.Epoch:D6}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"-step{moment.Step:D8}"),
        };
        var name = Path.GetFileNameWithoutExtension(finalPath) + suffix + Path.GetExtension(finalPath);
        return OfVariant(Path.Combine(Path.GetDirectoryName(finalPath) ?? "", name), moment.Variant, suffix);
    }

    /// <summary>The path of another form of a result: <c>frog-ema.safetensors</c>.</summary>
    /// <param name="path">The usual path.</param>
    /// <param name="variant">What the form is called; null for the usual one.</param>
    /// <param name="suffix">The number of the step or epoch at the end of the name, which stays at the end.</param>
    internal static string OfVariant(string path, string? variant, string suffix = "")
    {
        if (variant is null) return path;
        var name = Path.GetFileNameWithoutExtension(path);
        return Path.Combine(Path.GetDirectoryName(path) ?? "",
            $"{name[..^suffix.Length]}-{variant}{suffix}{Path.GetExtension(path)}");
    }
}
