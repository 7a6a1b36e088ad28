using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What a model's configuration says that the rules of other options depend on.</summary>
/// <param name="LargestClipSkip">Layers of the text encoder; null where clip skip is not looked at (SDXL).</param>
/// <param name="Scheduler">Noise schedule and prediction type.</param>
/// <param name="Details">What the model is; without the parts' types.</param>
public sealed record ModelConfiguration(int? LargestClipSkip, SchedulerOptions Scheduler, ModelDetails Details)
{
    /// <summary>Tokens of text that the text encoder takes, start and end aside; null where longer texts are cut into chunks (CLIP).</summary>
    public int? LargestTokenLength { get; init; }

    /// <summary>Whether padding can be hidden from the text encoder, see <see cref="MaskedTextModel.UseAttentionMask"/>. CLIP's has no mask.</summary>
    public bool TakesAttentionMask { get; init; }

    /// <summary>Channels of the text that the UNet attends to.</summary>
    public int ContextWidth { get; init; }

    /// <summary>Channels of the pooled text that the UNet takes; null where it takes none, as all but SDXL.</summary>
    public int? PooledWidth { get; init; }

    /// <summary>The text encoder's tokenizer; of SDXL that of the first. Null when its files cannot be read.</summary>
    public ITextTokenizer? Tokenizer { get; init; }

    /// <summary>Reads configurations and headers, no weights. Downloads nothing.</summary>
    /// <param name="path">As for <see cref="ModelLoader.Load"/>.</param>
    /// <param name="options">As for <see cref="ModelLoader.Load"/>.</param>
    /// <returns>Null when they cannot be read, and <see cref="ModelLoader.Check"/> says why, or when the model has yet to be downloaded.</returns>
    public static ModelConfiguration? Find(string path, ModelLoadOptions? options = null)
    {
        try
        {
            // The VAE does not matter here; the UNet's architecture is read in any case.
            options = (options ?? new ModelLoadOptions()) with { Parts = ModelParts.TextEncoder, MayDownload = false };
            using var description = ModelDescription.Read(ModelSource.Open(path, options), options);
            if (description.Details is not { } details) return null;
            var text = description.Parts.FirstOrDefault(part => part.Name == ModelPart.TextEncoder)?.Architecture as TextArchitecture;
            if (text is null) return null;
            return new ModelConfiguration(details.Version == ModelVersion.Sdxl ? null : text.Layers, description.Scheduler, details)
            {
                LargestTokenLength = text.TakesLongRows ? text.MaxPositions - 2 : null, TakesAttentionMask = text.TakesLongRows,
                ContextWidth = description.UNet!.CrossAttentionDim, PooledWidth = description.UNet.PooledWidth, Tokenizer = description.Tokenizer,
            };
        }
        catch (Exception e) when (e is InvalidFileException or InvalidOptionsException)
        {
            return null;
        }
    }
}
