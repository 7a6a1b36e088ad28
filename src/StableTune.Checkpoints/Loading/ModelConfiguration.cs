using StableTune.Torch;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What a model's configuration says that the rules of other options depend on.</summary>
/// <param name="LargestClipSkip">Layers of the text encoder; null where clip skip is not looked at (SDXL).</param>
/// <param name="Scheduler">Noise schedule and prediction type.</param>
/// <param name="Details">What the model is; without the parts' types.</param>
public sealed record ModelConfiguration(int? LargestClipSkip, SchedulerOptions Scheduler, ModelDetails Details)
{
    /// <summary>Tokens of text that the text encoder takes, start and end aside; null where longer texts are cut into chunks
    /// (CLIP).</summary>
    public int? LargestTokenLength { get; init; }

    /// <summary>Whether padding can be hidden from the text encoder, see <see cref="MaskedTextModel.UseAttentionMask"/>. CLIP's has no
    /// mask.</summary>
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
    /// <returns>Null when they cannot be read, and <see cref="ModelLoader.Check"/> says why, or when the model has yet to be
    /// downloaded.</returns>
    public static ModelConfiguration? Find(string path, ModelLoadOptions? options = null)
    {
        try
        {
            // The VAE does not matter here; the UNet's architecture is read in any case.
            options = (options ?? new ModelLoadOptions()) with { Parts = ModelParts.TextEncoder, MayDownload = false };
            using var description = ModelDescription.Read(ModelSource.Open(path, options), options);
            return Of(description);
        }
        catch (Exception e) when (e is InvalidFileException or InvalidOptionsException)
        {
            return null;
        }
    }

    /// <summary>The configuration of a model that is open; null when what matters cannot be read.</summary>
    internal static ModelConfiguration? Of(ModelDescription description)
    {
        if (description is not { Details: { } details, UNet: { } unet }) return null;
        ModelPart[] encoders = [.. description.Parts.Where(part => part.Flag == ModelParts.TextEncoder)];
        if (encoders.FirstOrDefault(part => part.Name == ModelPart.TextEncoder)?.Architecture is not TextArchitecture text) return null;
        var (scheduler, tokenizer) = (description.Scheduler, description.Tokenizer);
        return new ModelConfiguration(details.Version == ModelVersion.Sdxl ? null : text.Layers, scheduler, details)
        {
            LargestTokenLength = text.TakesLongRows ? text.MaxPositions - 2 : null, TakesAttentionMask = text.TakesLongRows,
            ContextWidth = unet.CrossAttentionDim, PooledWidth = unet.PooledWidth, Tokenizer = tokenizer,
            Modules = () => new ModelComponents
            {
                UNet = new UNet2DConditionModel(unet), TextEncoder = (TextModel)encoders[0].Build(),
                TextEncoder2 = encoders.Length > 1 ? (ClipTextModel)encoders[1].Build() : null, Scheduler = scheduler,
            },
        };
    }

    private Func<ModelComponents> Modules { get; init; } = null!;

    /// <summary>
    /// UNet and text encoders of the model, with the names, types and shapes of their parameters on <c>META</c>, where they take no memory:
    /// enough to see which layers there are. Takes some hundredths of a second. The caller disposes of it.
    /// </summary>
    public StableDiffusionModel WithoutWeights()
    {
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        return new StableDiffusionModel(Modules()) { Details = Details };
    }
}
