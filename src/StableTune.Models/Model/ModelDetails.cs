using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>What a model is, and how that was known: from its configuration, from the names and shapes in its file, or from an
/// option.</summary>
public sealed record ModelDetails
{
    /// <summary>The file or folder on this disk that the model was read from; null where that is not known.</summary>
    public string? Path { get; init; }

    /// <summary>How the model is stored.</summary>
    public required ModelFormat Format { get; init; }

    /// <summary>The model's generation; never <see cref="ModelVersion.Auto"/>.</summary>
    public required ModelVersion Version { get; init; }

    /// <summary>How <see cref="Version"/> was known, as the end of a sentence: "from unet/config.json".</summary>
    public required string VersionOrigin { get; init; }

    /// <summary>What it predicts; never <see cref="ModelPrediction.Auto"/>.</summary>
    public required ModelPrediction Prediction { get; init; }

    /// <summary>How <see cref="Prediction"/> was known: "from scheduler/scheduler_config.json".</summary>
    public required string PredictionOrigin { get; init; }

    /// <summary>Channels of the UNet's input: 4, 9 for inpainting, 5 for depth, 8 for instruct-pix2pix.</summary>
    public required int InChannels { get; init; }

    /// <summary>What the UNet takes, by its channels.</summary>
    public ModelKind Kind => InChannels switch
    {
        4 => ModelKind.TextToImage,
        9 => ModelKind.Inpainting,
        5 => ModelKind.Depth,
        8 => ModelKind.InstructPix2Pix,
        _ => ModelKind.Other,
    };

    /// <summary>The types in which the floating-point weights of each part are stored, by the part's name in diffusers ("unet", "vae",
    /// "text_encoder", "text_encoder_2").</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<TensorDType>> StoredTypes { get; init; } = new Dictionary<string,
        IReadOnlyList<TensorDType>>();

    /// <summary>What else is worth knowing, a sentence each: keys that were passed over, guesses that could be wrong.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>One line for logs: "Stable Diffusion 2.x (from unet/config.json), v prediction (from ...), diffusers folder with
    /// safetensors, unet F16 ...".</summary>
    public override string ToString()
    {
        var kind = Kind switch
        {
            ModelKind.TextToImage => "",
            ModelKind.Inpainting => " for inpainting",
            ModelKind.Depth => " with depth maps",
            ModelKind.InstructPix2Pix => " for instructed changes (instruct-pix2pix)",
            _ => $" with {InChannels} input channels",
        };
        var types = string.Join(", ", StoredTypes.Select(part => $"{part.Key} {string.Join("/", part.Value.Select(type => type.Name()))}"));
        return $"{Version.Words()}{kind} ({VersionOrigin}), {Prediction.Words()} ({PredictionOrigin}), "
            + $"{Format.Words()}{(types.Length > 0 ? ": " : "")}{types}";
    }
}

/// <summary>What messages call versions, predictions and formats.</summary>
internal static class ModelWords
{
    public static string Words(this ModelVersion version) => version switch
    {
        ModelVersion.Sd1 => "Stable Diffusion 1.x",
        ModelVersion.Sd2 => "Stable Diffusion 2.x",
        ModelVersion.Sdxl => "Stable Diffusion XL",
        _ => "Stable Diffusion of unknown version",
    };

    public static string Words(this ModelPrediction prediction) => prediction switch
    {
        ModelPrediction.Epsilon => "epsilon prediction",
        ModelPrediction.V => "v prediction",
        ModelPrediction.Sample => "sample prediction",
        _ => "unknown prediction",
    };

    public static string Words(this ModelFormat format) => format switch
    {
        ModelFormat.Safetensors => "single safetensors file",
        ModelFormat.Ckpt => "single torch checkpoint",
        ModelFormat.Diffusers => "diffusers folder with .bin weights",
        _ => "diffusers folder with safetensors",
    };
}
