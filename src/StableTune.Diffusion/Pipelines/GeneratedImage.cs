using System.Globalization;
using System.Text;
using StableTune.Imaging;

namespace StableTune.Diffusion;

/// <summary>A drawn picture and how to draw it again.</summary>
/// <param name="Image">The pixels, RGB.</param>
/// <param name="Seed">The seed of this picture alone.</param>
/// <param name="Parameters">Prompt and settings in the text form that other tools read back.</param>
public sealed record GeneratedImage(PixelImage Image, long Seed, string Parameters)
{
    /// <summary>The key of the PNG text chunk that holds the parameters.</summary>
    public const string ParametersKey = "parameters";

    /// <summary>Writes the picture as PNG, with its parameters in a text chunk named <c>parameters</c>.</summary>
    /// <param name="path">The file; an existing one is replaced.</param>
    public void SavePng(string path) => ImageFile.SavePng(path, Image, new Dictionary<string, string> { [ParametersKey] = Parameters });

    /// <summary>Prompt, negative prompt and settings, as the web interfaces write them into their pictures.</summary>
    /// <param name="options">How the picture was drawn, the sampler set.</param>
    /// <param name="seed">The seed of this picture.</param>
    /// <param name="modelName">The model's name; null leaves it out.</param>
    internal static string Describe(TextToImageOptions options, long seed, string? modelName)
    {
        var culture = CultureInfo.InvariantCulture;
        var text = new StringBuilder(options.Prompt).Append('\n');
        if (options.NegativePrompt.Length > 0) text.Append("Negative prompt: ").Append(options.NegativePrompt).Append('\n');
        text.Append(culture, $"Steps: {options.Steps}, Sampler: {options.Sampler!.Name}, CFG scale: {options.GuidanceScale}, ");
        text.Append(culture, $"Seed: {seed}, Size: {options.Width}x{options.Height}");
        if (modelName is not null) text.Append(culture, $", Model: {modelName}");
        if ((options.Start?.Strength ?? options.HighResolution?.Strength) is { } strength)
            text.Append(culture, $", Denoising strength: {strength}");
        if (options.HighResolution is { } high) text.Append(culture, $", Hires upscale: {1 / high.FirstScale:0.##}");
        if (options.GuidanceRescale > 0) text.Append(culture, $", CFG rescale: {options.GuidanceRescale}");
        if (options.ClipSkip > 1) text.Append(culture, $", Clip skip: {options.ClipSkip}");
        return text.ToString();
    }
}
