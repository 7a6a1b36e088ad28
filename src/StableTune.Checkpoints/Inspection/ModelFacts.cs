using System.Globalization;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Describes whole models, in one file or a folder.</summary>
internal static class ModelFacts
{
    /// <summary>Reads a folder's configurations and headers.</summary>
    /// <param name="path">A folder in diffusers' layout.</param>
    /// <param name="options">Version, prediction, variant.</param>
    /// <param name="files">The weights files.</param>
    /// <exception cref="InvalidFileException">It is no model, or none that is supported.</exception>
    public static ModelInspection OfFolder(string path, ModelLoadOptions options, out IReadOnlyList<string> files)
    {
        using var description = ModelDescription.Read(ModelSource.Open(path, options), options with { Parts = ModelParts.All });
        description.CheckHeaders();
        var parts = new List<InspectedPart>();
        var found = new List<string>();
        foreach (var part in description.Parts)
        {
            // What cannot be opened is among the faults already.
            if (TryOpen(part) is not { } tensors) continue;
            parts.Add(InspectedPart.Of(part.Name, Words(part.Architecture), tensors));
            found.AddRange(part.Weights.Source is ShardedTensorFile sharded ? sharded.Shards : [part.Weights.Path]);
        }

        files = [.. found.Distinct(StringComparer.Ordinal)];
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Model, Summary = description.Details?.ToString() ?? "a model that cannot be loaded as it is",
            Details = description.Details, Parts = parts, Notes = description.Details?.Notes ?? [],
            Problems = [.. description.Faults.Select(fault => fault.Message)],
        };
    }

    /// <summary>Reads a single file's header, and what stands beside it.</summary>
    /// <param name="path">A checkpoint under the original names.</param>
    /// <param name="options">What is known beforehand.</param>
    /// <exception cref="InvalidFileException">It is no model, or none that is supported.</exception>
    public static ModelInspection OfFile(string path, SingleFileOptions options)
    {
        using var checkpoint = SingleFileCheckpoint.Open(path, options);
        var parts = new List<InspectedPart>();
        var problems = new List<string>();
        Add(ModelPart.UNet, checkpoint.UNet, checkpoint.UNet.Options, unet => new UNet2DConditionModel(unet));
        if (checkpoint.Vae is { } vae) Add(ModelPart.Vae, vae, vae.Options, options => new AutoencoderKL(options));
        if (checkpoint.TextEncoder is { } text)
            Add(ModelPart.TextEncoder, text, TextArchitecture.Clip(text.Options), options => new ClipTextModel(options));
        if (checkpoint.TextEncoder2 is { } second)
            Add(ModelPart.TextEncoder2, second, TextArchitecture.Clip(second.Options), options => new ClipTextModel(options));
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Model, Summary = checkpoint.Details.ToString(), Details = checkpoint.Details, Parts = parts,
            Notes = checkpoint.Details.Notes, Problems = problems,
        };

        void Add<TOptions>(string name, CheckpointPart<TOptions> part, object architecture, Func<TOptions,
            nn.Module> build) where TOptions : OptionsBase
        {
            parts.Add(InspectedPart.Of(name, Words(architecture), part.Weights.Tensors));
            try
            {
                new ModelPart(name, architecture, () => build(part.Options), () => part.Weights, tensor => tensor).CheckHeader();
            }
            catch (InvalidFileException e)
            {
                problems.Add(e.Message);
            }
        }
    }

    /// <summary>An architecture in a line.</summary>
    public static string? Words(object architecture) => architecture switch
    {
        UNetOptions unet => string.Create(CultureInfo.InvariantCulture,
            $"channels {List(unet.BlockOutChannels)}; context {unet.CrossAttentionDim}; heads {List(unet.AttentionHeads)}; transformers "
                + $"{List(unet.TransformerLayersPerBlock)}; {(unet.UseLinearProjection ? "linear" : "convolutional")} projections; "
                    + $"{unet.InChannels} input channels"),
        VaeOptions vae => string.Create(
            CultureInfo.InvariantCulture,
            $"channels {List(vae.BlockOutChannels)}; {vae.LatentChannels} latent channels; scale {vae.ScalingFactor}"),
        TextArchitecture { Options: ClipTextOptions clip } => string.Create(CultureInfo.InvariantCulture,
            $"CLIP; {clip.Layers} layers; {clip.HiddenSize} wide; {clip.Heads} heads; {clip.VocabularySize} tokens"),
        TextArchitecture text => string.Create(
            CultureInfo.InvariantCulture, $"{text.Layers} layers; {text.Width} wide; {text.VocabularySize} tokens"),
        _ => null,
    };

    private static List<TensorInfo>? TryOpen(ModelPart part)
    {
        try
        {
            return [.. part.Weights.Tensors.Where(tensor => part.Rename(tensor.Name) is not null)];
        }
        catch (InvalidFileException)
        {
            return null;
        }
    }

    private static string List(IEnumerable<int> numbers) =>
        string.Join(", ", numbers.Select(number => number.ToString(CultureInfo.InvariantCulture)));
}
