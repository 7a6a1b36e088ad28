using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Sliders: runs without images that teach an adapter a direction between prompts.</summary>
public sealed class LecoRunTests : IDisposable
{
    private const string Prompt = "a photo of a frog";

    private static readonly LecoPair s_pair = new()
    {
        Target = Prompt, Negative = "a red square", Guidance = 2, Action = LecoAction.Enhance,
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_NeedsNoImages_AndMovesThePredictionTowardsItsGoal()
    {
        var held = TinyRun.HeldBefore();
        var path = SmallRun.TinySd15(_folder);
        var result = Builder(Method(s_pair with { Guidance = 8 }), steps: 30).WithModel(path).Train();
        Assert.Equal(30, result.Steps);
        Assert.Equal(held, TinyRun.HeldTensors);

        using var model = ModelLoader.Load(path);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var before = Predict(model, Prompt);
        var (negative, other) = (Predict(model, "a red square"), Predict(model, "a blue house"));
        var goal = negative + (before - negative) * 8;
        using var adapters = AdapterNetwork.FromFile(result.Files[0], ModelHosts.Of(model));
        var after = Predict(model, Prompt);
        Assert.InRange(Distance(after, goal), 0, 0.6 * Distance(before, goal));
        // It was the prompt that learnt: the direction is that of the difference, not one of all prompts alike.
        Assert.True(Distance(after, before) > Distance(Predict(model, "a blue house"), other));
    }

    [Fact]
    public void Train_Erasing_MovesTheOtherWay()
    {
        var (enhanced, erased) = (Trained("enhance", s_pair with { Neutral = Prompt }),
            Trained("erase", s_pair with { Neutral = Prompt, Action = LecoAction.Erase }));
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Tensor plain, positive, negative;
        using (var model = ModelLoader.Load(SmallRun.Model(_folder)))
            (plain, negative) = (Predict(model, Prompt), Predict(model, "a red square"));
        positive = With(enhanced);
        var direction = plain - negative;
        Assert.True(((positive - plain) * direction).sum().item<float>() > 0);
        Assert.True(((With(erased) - plain) * direction).sum().item<float>() < 0);

        string Trained(string name, LecoPair pair) => Builder(Method(pair), name, 20).Train().Files[0];
        Tensor With(string file)
        {
            using var model = ModelLoader.Load(SmallRun.Model(_folder));
            using var adapters = AdapterNetwork.FromFile(file, ModelHosts.Of(model));
            return Predict(model, Prompt);
        }
    }

    [Fact]
    public void Train_SameSeed_GivesTheSameFile_AndAnotherSeedAnother()
    {
        var method = Method(s_pair, s_pair with { Target = "a cat" });
        float[] Weights(string name, long seed) => TinyRun.Weights(Builder(method, name).WithSeed(seed).Train().Files[0]);
        var first = Weights("first", 1);
        Assert.Equal(first, Weights("again", 1));
        Assert.NotEqual(first, Weights("other", 2));
    }

    [Fact]
    public void Train_WithTheTextEncoder_TrainsBoth_AndLeavesTheMultiplierAtOne()
    {
        var held = TinyRun.HeldBefore();
        var result = Builder(Method(s_pair)).WithParts(AdapterParts.All).KeepModel().Train();
        using (result)
        {
            var network = Assert.IsType<Trainables.AdapterTrainable>(Assert.Single(result.Trainables).Instance).Network;
            Assert.Contains(network.NamedParameters(), entry =>
                entry.Layer.Part != AdapterParts.UNet && entry.Name.Contains("lora_up", StringComparison.Ordinal)
                && Changed(entry.Parameter));
            Assert.All(network.Adapters, adapter => Assert.Equal(1f, adapter.Multiplier));
        }

        Assert.Equal(held, TinyRun.HeldTensors);
        static bool Changed(Tensor up)
        {
            using var scope = NewDisposeScope();
            return up.abs().sum().item<float>() != 0;
        }
    }

    [Theory]
    [InlineData("euler")]
    [InlineData("pndm")]
    [InlineData("euler_a")]
    public void Train_WithAnySampler_Learns(string sampler)
    {
        var result = Builder(Method(s_pair) with { Sampler = SamplerCatalog.Default.Create(sampler), BatchSize = 2, DenoisingGuidance = 1 })
            .Train();
        Assert.All(result.Losses, loss => Assert.InRange(loss, 1e-12, 1e6));
    }

    [Fact]
    public void Train_Sdxl_IsToldSizesAndPooledText()
    {
        var result = Builder(Method(s_pair)).WithModel(FixtureModels.TinySdxl(_folder)).Train();
        Assert.All(result.Losses, loss => Assert.InRange(loss, 1e-12, 1e6));
    }

    [Fact]
    public void Build_OptionsThatCannotWork_AreNamed()
    {
        Assert.Equal(["LecoOptions.Pairs"], Refused(Method()));
        Assert.Equal(["LecoOptions.Pairs[1].Target", "LecoOptions.Pairs[1].Positive", "LecoOptions.Pairs[1].Guidance"],
            Refused(Method(s_pair, s_pair with { Target = "", Negative = "", Guidance = -1 })));
        Assert.Equal(["LecoOptions.Resolution.Width", "LecoOptions.BatchSize", "LecoOptions.MaxDenoisingSteps",
            "LecoOptions.DenoisingGuidance"],
            Refused(Method(s_pair) with { Resolution = new PixelSize(60, 64), BatchSize = 0, MaxDenoisingSteps = 0,
                DenoisingGuidance = double.NaN }));
        Assert.Equal(["LecoOptions.MaxDenoisingSteps"], Refused(Method(s_pair) with { MaxDenoisingSteps = 1001 }).Distinct());
        Assert.Equal(["TrainingPlan.Trainables"], Problems(new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithFullTraining()
            .WithMethod(Method(s_pair)).SaveTo(_folder.File("out", "model.safetensors"))));
    }

    [Fact]
    public void Build_AnInpaintingModel_IsRefusedByItsChannels()
    {
        var path = SmallRun.Model(_folder);
        using (var model = ModelLoader.Load(path))
        {
            using var unet = new UNet2DConditionModel(UNetOptions.Tiny with { InChannels = 9 });
            using var other = new StableDiffusionModel(new ModelComponents
            {
                UNet = unet, TextEncoder = model.TextEncoder, Tokenizer = model.Tokenizer, Vae = model.Vae,
            });
            Assert.Equal(["TrainingPlan.Method"], Problems(Builder(Method(s_pair)).WithModel(other)));
        }
    }

    private static LecoOptions Method(params LecoPair[] pairs) => new()
    {
        Pairs = [.. pairs], Resolution = new PixelSize(64, 64), MaxDenoisingSteps = 3,
    };

    private TrainerBuilder Builder(LecoOptions method, string name = "slider", int steps = 3) => new TrainerBuilder()
        .WithModel(SmallRun.Model(_folder)).WithMethod(method).WithLoRA(rank: 4, alpha: 4).TrainUNetOnly().WithLearningRate(5e-3)
        .For(TrainingLength.Steps(steps)).SaveTo(TinyRun.Output(_folder, name));

    private string[] Refused(LecoOptions method) => Problems(Builder(method));

    private static string[] Problems(TrainerBuilder builder) =>
        [.. Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems.Select(problem => problem.Option)];

    private static Tensor Predict(StableDiffusionModel model, string prompt)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(7);
        var latents = randn([2, 4, 8, 8], dtype: ScalarType.Float32, generator: random);
        var context = PromptEncoder.For(model).Encode([prompt, prompt]);
        return model.UNet.call(latents, tensor(new long[] { 300, 800 }), new UNetConditions(context.Context)).MoveToOuterDisposeScope();
    }

    private static double Distance(Tensor one, Tensor other) => (one - other).pow(2).mean().item<float>();
}
