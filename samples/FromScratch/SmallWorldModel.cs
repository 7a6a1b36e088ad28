using StableTune.Models;
using StableTune.Samples.World;

namespace StableTune.Samples;

/// <summary>What the model is made of: SD 1.x's parts with few channels, and a vocabulary learnt from captions. Latents have a quarter of
/// the pictures' side.</summary>
internal static class SmallWorldModel
{
    internal static NewModelOptions Options { get; } = Create();

    private static NewModelOptions Create()
    {
        var random = new Random(0);
        // With the names of shapes that the model is never shown: samples teach them.
        var captions = Enumerable.Range(0, 4000).Select(i => Scene.Draw(random, Shape.All[i % Shape.All.Count]).Caption);
        var vocabulary = ClipVocabulary.Learn(captions, mergeCount: 486);
        return new NewModelOptions
        {
            Vae = new VaeOptions
            {
                BlockOutChannels = [16, 32, 48], LayersPerBlock = 1, NormNumGroups = 2, SampleSize = Scene.Side,
            },
            Vocabulary = vocabulary,
            TextEncoder = new ClipTextOptions
            {
                VocabularySize = vocabulary.Ids.Count, HiddenSize = 64, IntermediateSize = 256, Layers = 2, Heads = 4,
            },
            UNet = new UNetOptions
            {
                SampleSize = Scene.Side / 4, BlockOutChannels = [48, 80], LayersPerBlock = 1, NormNumGroups = 8, CrossAttentionDim = 64,
                AttentionHeads = [4, 4], TransformerLayersPerBlock = [1, 1],
                DownBlockTypes = [UNetOptions.CrossAttentionDown, UNetOptions.CrossAttentionDown],
                UpBlockTypes = [UNetOptions.CrossAttentionUp, UNetOptions.CrossAttentionUp],
            },
            // DDIM, and predicted velocity: flat colours need the last timesteps, where noise says nothing about them.
            Scheduler = SchedulerOptions.Sd15 with { ClassName = "DDIMScheduler", Prediction = ModelPrediction.V },
            Seed = 1,
        };
    }
}
