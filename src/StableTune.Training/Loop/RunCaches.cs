using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>The caches of a run, opened before the model is loaded: what is missing in them says which parts of it are needed.</summary>
/// <param name="Latents">Null where images are encoded in every step.</param>
/// <param name="Text">Null where captions are.</param>
internal sealed record RunCaches(LatentCache? Latents, TextOutputCache? Text) : IDisposable
{
    /// <summary>What the user should know of files that were found.</summary>
    public IEnumerable<string> Notes => [.. Latents?.Report.Notes ?? [], .. Text?.Report.Notes ?? []];

    public static RunCaches Open(TrainingPlan plan, TrainingDataset dataset, ModelFingerprint model, bool cachesLatents, bool cachesText, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        var latents = cachesLatents ? LatentCache.Open(dataset, VaeOf(model), plan.Cache, progress, cancellationToken) : null;
        return new(latents, cachesText ? TextOutputCache.Open(dataset, TextOf(model, plan), plan.Cache) : null);
    }

    public void Dispose()
    {
        Latents?.Dispose();
        Text?.Dispose();
    }

    private static VaeIdentity VaeOf(ModelFingerprint model) => new(model.Vae.ScalingFactor)
    {
        Hash = model.VaeHash, IsSdxl = model.Version == ModelVersion.Sdxl, Channels = model.Vae.LatentChannels,
    };

    private static TextIdentity TextOf(ModelFingerprint model, TrainingPlan plan) => new()
    {
        Hash = $"{model.TextHash}{(plan.UseAttentionMask is { } mask ? $" {mask}" : "")}{(plan.WeightedCaptions ? " weighted" : "")}",
        IsSdxl = model.Version == ModelVersion.Sdxl,
        FirstWidth = model.TextWidth,
        // SDXL takes fixed layers.
        ClipSkip = model.Version == ModelVersion.Sdxl ? null : plan.ClipSkip,
        Tokens = plan.MaxTokenLength + 2,
    };
}
