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
        return Path.Combine(Path.GetDirectoryName(finalPath) ?? "", name);
    }
}
