using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>Makes the batches of one epoch; used by several threads at once.</summary>
internal sealed class BatchAssembly(EpochPlan epoch, BatchLoaderOptions options, LatentCache? latents, TextOutputCache? textOutputs)
{
    /// <summary>Reads files, or caches, and draws captions.</summary>
    internal Batch Make(PlannedBatch plan, CancellationToken cancellationToken)
    {
        TrainingSample[] items = [.. plan.Samples.Select(index => epoch.Dataset.Samples[index])];
        string[] captions = [.. items.Select((item, i) => Caption(item, plan, i))];

        ImageDraw[] draws =
            [.. items.Select((item, i) => ImageDraw.Choose(item, epoch, plan.FirstDraw + i, latents?.MirrorsAtRandom(item) == true))];
        // The scope frees whatever was made when something fails half-way; all is detached together at the end.
        using var scope = NewDisposeScope();
        var weights = tensor(Weights(items));
        var prepared = PreparedImages.Load(items, draws, cancellationToken, hintsOnly: latents is not null);
        var cached = latents?.Collate(items, draws, i => (long)epoch.RandomFor("posterior", plan.FirstDraw + i).NextBits());
        var masks = prepared.Masks ?? cached?.Masks;
        var text = PrecomputedTextOutputs.Collate(items) ?? textOutputs?.Collate(captions);
        var features = PromptFreeFeatures.Collate(items);
        return new Batch(plan, epoch.Epoch, items, captions, weights.DetachFromDisposeScope())
        {
            Others = plan.Whole is { } whole ? OthersOf(whole) : null,
            Draws = [.. draws.Select(draw => new SampleDraw(draw.Framing, draw.Flip))],
            Sizes = [.. items.Select((item, i) => MicroConditioning.Of(item.Item.PreparedFrom ?? item.ImageSize, draws[i].Framing.Size,
                draws[i].Flip))],
            Pixels = prepared.Pixels?.DetachFromDisposeScope(),
            Masks = masks?.DetachFromDisposeScope(),
            Conditioning = prepared.Conditioning?.DetachFromDisposeScope(),
            Latents = cached?.Latents.DetachFromDisposeScope(),
            Text = text?.DetachFromDisposeScope(),
            PromptFreeFeatures = features?.DetachFromDisposeScope(),
        };
    }

    /// <summary>The samples that are not here too: what is drawn for them at random is drawn here all the same.</summary>
    private (IReadOnlyList<TrainingSample>, IReadOnlyList<string>) OthersOf(PlannedBatch whole)
    {
        TrainingSample[] items = [.. whole.Samples.Select(index => epoch.Dataset.Samples[index])];
        return (items, [.. items.Select((item, i) => Caption(item, whole, i))]);
    }

    /// <summary>Factors of the losses. Of pairs the mean of each half counts, so that of the whole batch counts twice.</summary>
    private static float[] Weights(TrainingSample[] items)
    {
        var factor = items[0].Dataset.PriorStyle == PriorStyle.Paired ? 2f : 1f;
        return [.. items.Select(item => factor * item.LossWeight)];
    }

    /// <summary>The caption of one image of a batch.</summary>
    internal string Caption(TrainingSample sample, PlannedBatch plan, int place) => sample.Captions.Apply(sample.Caption, Use(plan, place));

    private CaptionUse Use(PlannedBatch plan, int place)
    {
        var stepsPerEpoch = (int)((epoch.Batches.Count + (long)options.MicroSteps - 1) / options.MicroSteps);
        var step = ((epoch.Epoch - 1) * stepsPerEpoch) + (plan.Index / options.MicroSteps);
        return new(epoch.Epoch, step, options.TotalSteps, epoch.RandomFor("caption", plan.FirstDraw + place));
    }
}
