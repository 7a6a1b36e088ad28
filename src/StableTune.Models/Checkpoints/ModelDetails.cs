using System.Globalization;
using System.Text;
using StableTune.Formats;

namespace StableTune.Models;

/// <summary>What a UNet's input holds, told by its number of channels.</summary>
public enum ModelInput
{
    /// <summary>Noisy latents: 4 channels.</summary>
    Latents,

    /// <summary>Noisy latents, the latents of a masked image and its mask, for inpainting: 9 channels.</summary>
    Inpainting,

    /// <summary>Noisy latents and a depth map: 5 channels.</summary>
    Depth,

    /// <summary>Noisy latents and the latents of an image to be edited (InstructPix2Pix): 8 channels.</summary>
    Edit,

    /// <summary>Something else.</summary>
    Other,
}

/// <summary>One part of a stored model.</summary>
/// <param name="Name">Its folder's name in diffusers' layout, such as "unet".</param>
/// <param name="ParameterCount">Its numbers.</param>
/// <param name="StoredTypes">The types that they are stored in, the most frequent first.</param>
public sealed record PartDetails(string Name, long ParameterCount, IReadOnlyList<TensorDType> StoredTypes)
{
    /// <summary>For messages: "unet 859.5 M parameters, F16".</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Name} {ParameterCount / 1e6:0.0##} M parameters, {string.Join(" and ", StoredTypes.Select(type => type.Name()))}");
}

/// <summary>What was found out about a stored model, and from what.</summary>
public sealed record ModelDetails
{
    /// <summary>The file or folder, as the caller named it.</summary>
    public required string Path { get; init; }

    /// <summary>How it is stored.</summary>
    public required ModelFormat Format { get; init; }

    /// <summary>The family.</summary>
    public required ModelVersion Version { get; init; }

    /// <summary>What told the family, such as "the names of the text encoder".</summary>
    public required string VersionSource { get; init; }

    /// <summary>What the UNet predicts.</summary>
    public required ModelPrediction Prediction { get; init; }

    /// <summary>What told the prediction, such as "v2-inference-v.yaml".</summary>
    public required string PredictionSource { get; init; }

    /// <summary>Channels of the UNet's input; 0 where there is no UNet.</summary>
    public int InChannels { get; init; }

    /// <summary>What the UNet's input holds.</summary>
    public ModelInput Input => InChannels switch { 0 or 4 => ModelInput.Latents, 5 => ModelInput.Depth, 8 => ModelInput.Edit, 9 => ModelInput.Inpainting, _ => ModelInput.Other };

    /// <summary>The parts that are there.</summary>
    public IReadOnlyList<PartDetails> Parts { get; init; } = [];

    /// <summary>The types that weights are stored in, the most frequent first.</summary>
    public IReadOnlyList<TensorDType> StoredTypes => [.. Parts.SelectMany(part => part.StoredTypes).Distinct()];

    /// <summary>What else a user may want to know, as sentences: what was left out, and what was assumed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>All of it as lines of text.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Path}: {Name(Version)} (told by {VersionSource}), stored as {Name(Format)}");
        text.Append(CultureInfo.InvariantCulture, $"\n  predicts {(Prediction == ModelPrediction.V ? "velocity (v)" : "noise (epsilon)")}, told by {PredictionSource}");
        if (InChannels > 0 && Input != ModelInput.Latents) text.Append(CultureInfo.InvariantCulture, $"\n  takes {InChannels} channels: {Name(Input)}");
        foreach (var part in Parts) text.Append("\n  ").Append(part);
        foreach (var note in Notes) text.Append("\n  note: ").Append(note);
        return text.ToString();
    }

    /// <summary>The family as people call it.</summary>
    internal static string Name(ModelVersion version) => version switch
    {
        ModelVersion.Sd1 => "Stable Diffusion 1.x",
        ModelVersion.Sd2 => "Stable Diffusion 2.x",
        ModelVersion.Sdxl => "Stable Diffusion XL",
        _ => "a model of unknown family",
    };

    private static string Name(ModelFormat format) => format switch
    {
        ModelFormat.Safetensors => "a single safetensors file",
        ModelFormat.Ckpt => "a single torch checkpoint",
        ModelFormat.Diffusers => "a diffusers folder of torch files",
        _ => "a diffusers folder of safetensors files",
    };

    private static string Name(ModelInput input) => input switch
    {
        ModelInput.Inpainting => "a model for inpainting",
        ModelInput.Depth => "a model guided by depth",
        ModelInput.Edit => "a model that edits images (InstructPix2Pix)",
        _ => "an uncommon input",
    };
}
