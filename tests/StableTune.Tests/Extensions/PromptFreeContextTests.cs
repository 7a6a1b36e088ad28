using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Extensions;

/// <summary>A host's own stage over sd-trainer's layout: what a tagger saw becomes further tokens after those of the text.</summary>
public sealed class PromptFreeContextTests : IDisposable
{
    private readonly long _held = TinyRun.HeldBefore();

    public void Dispose() => Assert.Equal(_held, TinyRun.HeldTensors);

    [Fact]
    public void Context_OfSdTrainersLayout_HasATaggersTokensAfterTheText()
    {
        const int tokens = 3, width = 16;
        var dataset = new DatasetBuilder().AddSdTrainer(Fixtures.Path("data", "latents_cache", "sd_trainer_layout")).WithResolution(64)
            .WithBatchSize(2).Build();
        using var latents = LatentCache.Open(dataset, new VaeIdentity(0.18215));
        using var loader = new BatchLoader(new() { Workers = 0 }, latents);
        using var network = new Linear(24, tokens * width);
        using var step = NewDisposeScope();
        var stage = new PromptFreeContext(new NoText(width), network, width);
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
            using (batch)
            using (NewDisposeScope())
            {
                var context = stage.Context(batch).Context;
                Assert.Equal([batch.Count, 77 + tokens, width], context.shape);
                context.pow(2).mean().backward();
                // The gradient of the weight goes through what the tagger saw.
                using var gradient = network.weight.grad!;
                Assert.True((gradient.abs().sum() > 0).ToBoolean());
                network.weight.grad = null;
                network.bias!.grad = null;
            }
    }

    /// <summary>One linear layer turns features into tokens.</summary>
    private sealed class PromptFreeContext(IContextStage text, Linear network, int width) : IContextStage
    {
        public TextConditions Context(Batch batch)
        {
            using var scope = NewDisposeScope();
            var (conditions, features) = (text.Context(batch), batch.PromptFreeFeatures
                ?? throw new InvalidOperationException("The data set holds no features of a tagger."));
            var added = network.call(features).view(batch.Count, -1, width);                               // [B, tokens, C]
            return new TextConditions(cat([conditions.Context, added], 1), conditions.Pooled).MoveToOuterDisposeScope();
        }
    }

    private sealed class NoText(int width) : IContextStage
    {
        public TextConditions Context(Batch batch) => new(zeros(batch.Count, 77, width), null);
    }
}
