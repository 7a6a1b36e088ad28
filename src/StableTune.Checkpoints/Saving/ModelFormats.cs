namespace StableTune.Checkpoints;

/// <summary>What follows from a format.</summary>
internal static class ModelFormats
{
    /// <summary>Whether it is a folder of files, otherwise one file.</summary>
    public static bool IsFolder(this ModelFormat format) => format is ModelFormat.Diffusers or ModelFormat.DiffusersSafetensors;

    /// <summary>The extension of a single file; empty for folders.</summary>
    public static string Extension(this ModelFormat format) => format switch
    {
        ModelFormat.Safetensors => ".safetensors",
        ModelFormat.Ckpt => ".ckpt",
        _ => "",
    };

    /// <summary>The single-file format that the extension of a path names; null for any other extension.</summary>
    public static ModelFormat? Of(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".SAFETENSORS" => ModelFormat.Safetensors,
        ".CKPT" or ".PT" or ".PTH" => ModelFormat.Ckpt,
        _ => null,
    };
}
