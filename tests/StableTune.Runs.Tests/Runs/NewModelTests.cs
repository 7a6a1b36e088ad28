using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Torch;

namespace StableTune.Tests;

/// <summary>Models that are made, not loaded, and trained from nothing.</summary>
public sealed class NewModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Create_SameSeed_GivesTheSameWeights_AndMovesNoOtherRandomness()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var expected = rand(1).item<float>();
        manual_seed(5);
        using var first = ModelFactory.Create(NewModelOptions.Tiny);
        Assert.Equal(expected, rand(1).item<float>());
        using var second = ModelFactory.Create(NewModelOptions.Tiny);
        using var other = ModelFactory.Create(NewModelOptions.Tiny with { Seed = 43 });
        foreach (var (one, same, differs) in new (nn.Module, nn.Module, nn.Module)[]
            { (first.UNet, second.UNet, other.UNet), (first.Vae, second.Vae, other.Vae),
                (first.TextEncoder, second.TextEncoder, other.TextEncoder) })
        {
            var (a, b, c) = (Weights(one), Weights(same), Weights(differs));
            Assert.All(a, entry => Assert.True(entry.Value.equal(b[entry.Key]).all().item<bool>(), entry.Key));
            Assert.Contains(a, entry => !entry.Value.equal(c[entry.Key]).all().item<bool>());
            Assert.All(one.parameters(), parameter => Assert.False(parameter.requires_grad));
        }
    }

    [Fact]
    public void Create_DrawsEachLayerAsTheReferencesDo()
    {
        using var scope = NewDisposeScope();
        using var model = ModelFactory.Create(NewModelOptions.Tiny);
        var text = Weights(model.TextEncoder);
        double Deviation(string name) => text[name].std().item<float>();
        // 48 wide, 5 layers.
        Assert.Equal(0.02, Deviation("text_model.embeddings.token_embedding.weight"), 1e-3);
        Assert.Equal(1 / Math.Sqrt(48 * 10), Deviation("text_model.encoder.layers.0.self_attn.q_proj.weight"), 3e-3);
        Assert.Equal(1 / Math.Sqrt(48), Deviation("text_model.encoder.layers.0.self_attn.out_proj.weight"), 8e-3);
        Assert.Equal(1 / Math.Sqrt(96), Deviation("text_model.encoder.layers.0.mlp.fc1.weight"), 4e-3);
        Assert.Equal(1 / Math.Sqrt(48 * 10), Deviation("text_model.encoder.layers.0.mlp.fc2.weight"), 3e-3);
        Assert.Equal(0, text["text_model.encoder.layers.0.mlp.fc1.bias"].abs().max().item<float>());
        Assert.Equal(48, text["text_model.final_layer_norm.weight"].sum().item<float>());

        // Uniform within ±1/√fan-in, whose deviation is the bound / √3.
        var unet = Weights(model.UNet);
        foreach (var (name, fanIn) in new[] { ("down_blocks.0.resnets.0.conv1", 32 * 9), ("time_embedding.linear_1", 32) })
        {
            var bound = 1 / Math.Sqrt(fanIn);
            Assert.InRange(unet[name + ".weight"].abs().max().item<float>(), 0.98 * bound, bound + 1e-6);
            Assert.Equal(bound / Math.Sqrt(3), unet[name + ".weight"].std().item<float>(), 0.03 * bound);
            Assert.NotEqual(0, unet[name + ".bias"].std().item<float>());
        }

        Assert.Equal(1, unet["conv_norm_out.weight"].mean().item<float>());
    }

    [Fact]
    public void Train_FromNothing_Learns_IsSaved_AndLoadedAgain()
    {
        var held = TinyRun.HeldBefore();
        using (var model = ModelFactory.Create(NewModelOptions.Tiny))
        {
            var result = new TrainerBuilder().WithModel(model).WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(4)
                .WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder).WithLearningRate(2e-3).For(TrainingLength.Steps(24))
                .SaveTo(_folder.File("out", "new")).Train();
            Assert.InRange(result.Losses.TakeLast(6).Average(), 0, 0.95 * result.Losses.Take(6).Average());
            using var loaded = ModelLoader.Load(_folder.File("out", "new"));
            var (trained, stored) = (Weights(model.UNet), Weights(loaded.UNet));
            using var scope = NewDisposeScope();
            Assert.All(trained, entry => Assert.True(entry.Value.equal(stored[entry.Key]).all().item<bool>(), entry.Key));
            Assert.Equal(model.Tokenizer.Encode("a green frog"), loaded.Tokenizer.Encode("a green frog"));
            var options = new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2 };
            // Memory that lies otherwise is summed up in another order.
            var (one, other) = (new TextToImagePipeline(model).Generate(options), new TextToImagePipeline(loaded).Generate(options));
            Assert.All(one.Pixels.Zip(other.Pixels), pixel => Assert.InRange(Math.Abs(pixel.First - pixel.Second), 0, 2));
        }

        Assert.Equal(held, TinyRun.HeldTensors);
    }

    [Fact]
    public void Create_Sdxl_HasBothEncoders_AndTwoTokenizers()
    {
        var second = ClipTextOptions.Tiny with { HiddenSize = 32, ProjectionDim = 24, Activation = "gelu" };
        var options = NewModelOptions.Tiny with
        {
            TextEncoder2 = second,
            UNet = UNetOptions.Tiny with
            {
                CrossAttentionDim = 80, UseLinearProjection = true, AdditionTimeEmbedDim = 8,
                AdditionEmbedType = UNetOptions.Sdxl.AdditionEmbedType,
                ProjectionClassEmbeddingsInputDim = 24 + 48,
            },
        };
        using var model = ModelFactory.Create(options);
        Assert.Equal((ModelVersion.Sdxl, 0), (model.Version, model.Tokenizer2.PadId));
        var saved = model.SaveAs(_folder.File("xl"));
        using var loaded = ModelLoader.Load(saved.Path);
        Assert.Equal(ModelVersion.Sdxl, loaded.Version);
        Assert.True(loaded.HasTextEncoder2);
    }

    [Fact]
    public void Presets_CanWork()
    {
        Assert.All(new[] { NewModelOptions.Sd15, NewModelOptions.Sd21, NewModelOptions.Sdxl, NewModelOptions.Small, NewModelOptions.Tiny },
            preset => Assert.Empty(preset.Validate()));
        using var small = ModelFactory.Create(NewModelOptions.Small);
        Assert.InRange(Count(small.UNet) + Count(small.Vae) + Count(small.TextEncoder), 40e6, 80e6);
        static double Count(nn.Module module) => module.parameters().Sum(parameter => (double)parameter.numel());
    }

    [Fact]
    public void Create_PartsThatDoNotFit_AreAllNamed()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => ModelFactory.Create(NewModelOptions.Tiny with
        {
            UNet = UNetOptions.Tiny with { CrossAttentionDim = 64, OutChannels = 8 },
            TextEncoder = ClipTextOptions.Tiny with { VocabularySize = 100, MaxPositions = 20 },
        }));
        Assert.Equal(["NewModelOptions.TextEncoder.VocabularySize", "NewModelOptions.TextEncoder.MaxPositions",
            "NewModelOptions.UNet.OutChannels", "NewModelOptions.UNet.CrossAttentionDim"],
            error.Problems.Select(problem => problem.Option));
    }

    [Fact]
    public void Create_WithItsOwnVocabulary_SavesIt_AndRefusesAnotherSize()
    {
        var vocabulary = ClipVocabulary.Learn(["a red circle", "a blue square"], mergeCount: 100);
        var options = NewModelOptions.Tiny with
        {
            Vocabulary = vocabulary, TextEncoder = ClipTextOptions.Tiny with { VocabularySize = vocabulary.Ids.Count },
        };
        using (var model = ModelFactory.Create(options))
        {
            Assert.Equal(5, model.Tokenizer.Encode("a blue circle").Length);   // start, three words, end
            model.SaveAs(_folder.File("own"));
        }

        using var loaded = ModelLoader.Load(_folder.File("own"));
        Assert.Equal(5, loaded.Tokenizer.Encode("a blue circle").Length);
        var error = Assert.Throws<InvalidOptionsException>(() => ModelFactory.Create(options with { TextEncoder = ClipTextOptions.Tiny }));
        Assert.Equal("NewModelOptions.TextEncoder.VocabularySize", Assert.Single(error.Problems).Option);
    }

    private static Dictionary<string, Tensor> Weights(nn.Module module) =>
        ModuleTensors.Named(module).ToDictionary(entry => entry.Key, entry => entry.Value);
}
