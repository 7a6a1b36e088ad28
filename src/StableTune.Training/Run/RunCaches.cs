using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>The caches of a run, opened before the model is loaded: what is missing in them says which parts of it are needed.</summary>
internal sealed class RunCaches : IDisposable
{
    private RunCaches() { }

    /// <summary>The cached latents; null when images are encoded in the step.</summary>
    public LatentCache? Latents { get; private set; }

    /// <summary>The cached text-encoder outputs; null when captions are encoded in the step.</summary>
    public TextOutputCache? Text { get; private set; }

    /// <summary>The caches of the validation set; null when no images are held out.</summary>
    public RunCaches? Held { get; private set; }

    /// <summary>Whether some images have yet to be encoded.</summary>
    public bool MissesLatents => Latents is { Missing.Count: > 0 } || Held is { MissesLatents: true };

    /// <summary>Whether some captions have yet to be encoded.</summary>
    public bool MissesText => Text is { Missing.Count: > 0 } || Held is { MissesText: true };

    /// <summary>Whether captions are encoded in the step, because some are neither cached nor came with precomputed outputs.</summary>
    public bool EncodesText { get; private init; }

    /// <summary>Notes for the user about cache files that were found.</summary>
    public IEnumerable<string> Notes => [.. Latents?.Report.Notes ?? [], .. Text?.Report.Notes ?? [], .. Held?.Notes ?? []];

    /// <summary>Opens the caches of a data set and of what is held out of it.</summary>
    public static RunCaches Open(TrainingPlan plan, TrainingDataset dataset, ModelFingerprint model, bool cachesLatents, bool cachesText,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var caches = new RunCaches
        {
            EncodesText = plan.UsesTexts && !cachesText && dataset.Samples.Any(sample => sample.Item.TextOutputsPath is null),
        };
        try
        {
            if (cachesLatents) caches.Latents = LatentCache.Open(dataset, VaeOf(model), plan.Cache, progress, cancellationToken);
            if (cachesText) caches.Text = TextOutputCache.Open(dataset, TextOf(model, plan), plan.Cache);
            if (dataset.Validation is { } held)
                caches.Held = Open(plan, held, model, cachesLatents, cachesText, progress, cancellationToken);
            return caches;
        }
        catch
        {
            caches.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Latents?.Dispose();
        Text?.Dispose();
        Held?.Dispose();
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
