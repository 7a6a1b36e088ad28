using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>A host's own stages, network and method in a run, with public members alone.</summary>
public sealed class SeamTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithAHostsStages_TakesThemInThePlaceOfItsOwn()
    {
        var plain = TinyRun.Builder(_folder, "plain").Train();
        var (latents, context, target) = (new Halves(_folder), new Zeros(), new Doubles());
        var changed = TinyRun.Builder(_folder, "changed").WithStage(latents).WithStage(context).WithStage(target).Train();
        Assert.Equal((3, 3, 3), (latents.Asked, context.Asked, target.Asked));
        Assert.NotEqual(plain.Losses, changed.Losses);
    }

    /// <summary>A caption is changed in each step, so none is encoded ahead; the first stage's words are the second's input.</summary>
    [Fact]
    public void Train_WithAHostsCaptionStages_EncodesWhatTheyMake()
    {
        TrainingResult Run(string name, params ICaptionStage[] stages) =>
            stages.Aggregate(TinyRun.Builder(_folder, name), (builder, stage) => builder.WithStage(stage)).Train();
        var (plain, first, second) = (Run("plain"), new Words("blue"), new Words("toad"));
        var changed = Run("changed", first, second);
        Assert.All(second.Seen, caption => Assert.StartsWith("blue ", caption));
        Assert.Equal(changed.Steps * 2, second.Seen.Count);
        Assert.NotEqual(plain.Losses, changed.Losses);
        // Encoded in each step instead of once, in batches of another size.
        Assert.All(plain.Losses.Zip(Run("same", new Words("")).Losses), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.Contains("CacheOptions.TextEncoderOutputs", Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Builder(_folder, "cached").WithStage(first).WithCachedTextEncoderOutputs(true).Train()).Message);
    }

    private sealed class Words(string first) : ICaptionStage
    {
        public List<string> Seen { get; } = [];

        public string Change(string caption, in CaptionMoment moment)
        {
            Seen.Add(caption);
            return first.Length == 0 ? caption : $"{first} {caption}";
        }
    }

    [Fact]
    public void Train_WithAHostsNetwork_TrainsWhatItAsks()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var network = new Counting(model.UNet);
        var result = TinyRun.Builder(_folder).WithModel(model).WithNetwork(network).Train();
        Assert.Equal(result.Steps, network.Asked);
    }

    [Theory]
    [InlineData("latents", "Latents of shape [2, 4, 8]: a tensor of shape [2, C, h, w]")]
    [InlineData("context", "Context of shape [1, 77, 48]: a tensor of shape [2, L, C]")]
    [InlineData("target", "Change of shape [1]: a tensor of shape [2, 4, 8, 8]")]
    [InlineData("network", "Predict of shape [2, 1, 8, 8]: a tensor of shape [2, 4, 8, 8]")]
    [InlineData("noise", "Draw of shape [1, 4, 8, 8]: a tensor of shape [2, 4, 8, 8]")]
    [InlineData("timesteps", "Draw of shape [1]: a tensor of shape [2]")]
    public void Train_WithAStageOfTheWrongShape_NamesIt(string which, string told)
    {
        var builder = TinyRun.Builder(_folder);
        builder = which switch
        {
            "latents" => builder.WithStage((ILatentStage)new Wrong()),
            "context" => builder.WithStage((IContextStage)new Wrong()),
            "network" => builder.WithNetwork(new Wrong()),
            "noise" => builder.WithNoise(new Wrong()),
            "timesteps" => builder.WithTimesteps(new Wrong()),
            _ => builder.WithStage((ITargetStage)new Wrong()),
        };
        var before = TinyRun.HeldBefore();
        var error = Assert.Throws<InvalidOperationException>(() => builder.Train());
        Assert.Contains("The stage Wrong gave " + told, error.Message, StringComparison.Ordinal);
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_OnAModelOfTheHost_LeavesItLoaded_AndLearnsTheSame()
    {
        var expected = TinyRun.Builder(_folder, "path").Train();
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var before = TinyRun.HeldBefore();
        for (var i = 0; i < 2; i++)
        {
            var result = TinyRun.Builder(_folder, "given").WithModel(model).Overwrite().Train();
            Assert.Equal(expected.Losses, result.Losses);
            Assert.Equal(TinyRun.Weights(expected.Files[0]), TinyRun.Weights(result.Files[0]));
            Assert.Equal(before, TinyRun.HeldTensors);
        }

        Assert.Equal(ModelParts.All, model.Parts);
        Assert.Null(model.UNet.ComputeType);
    }

    [Fact]
    public void KeepModel_HandsBackTheModelWithWhatWasTrained()
    {
        var before = TinyRun.HeldBefore();
        using (var result = TinyRun.Builder(_folder).WithLearningRate(0.5).KeepModel().Train())
        {
            var options = new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2 };
            var with = new TextToImagePipeline(result.Model!).Generate(options);
            var adapter = Assert.IsType<AdapterTrainable>(Assert.Single(result.Trainables).Instance);
            adapter.Network.SetMultiplier(0);
            var without = new TextToImagePipeline(result.Model!).Generate(options);
            Assert.NotEqual(with.Pixels, without.Pixels);
            using var plain = ModelLoader.Load(SmallRun.Model(_folder));
            Assert.Equal(new TextToImagePipeline(plain).Generate(options).Pixels, without.Pixels);
        }

        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_WithAMethodOfTheHost_NeedsNoImages()
    {
        var before = TinyRun.HeldBefore();
        var builder = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithLoRA(rank: 2).TrainUNetOnly().WithLearningRate(0.01)
            .WithMethod(new TowardsNothing()).For(TrainingLength.Steps(8)).SaveTo(_folder.File("out", "nothing.safetensors"));
        var result = builder.Train();
        Assert.Equal((8, 1), (result.Steps, result.Epochs));
        Assert.True(result.Losses[^1] < result.Losses[0]);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal("TrainingPlan.Length",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            builder.For(TrainingLength.Epochs(2)).Overwrite().Build()).Problems).Option);
        Assert.Throws<InvalidOperationException>(() => new Trainer(builder.For(TrainingLength.Steps(1)).Overwrite().Plan).Dataset);
    }

    [Fact]
    public void Train_WithAMethodThatNeedsTheTextEncoderAlone_LoadsNoUNet()
    {
        var seen = new TextAlone();
        var result = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithLoRA(rank: 2).TrainTextEncoderOnly().WithMethod(seen)
            .For(TrainingLength.Steps(3)).WithLearningRate(0.01).SaveTo(_folder.File("out", "text.safetensors")).Train();
        Assert.Equal(ModelParts.TextEncoder, seen.Parts);
        Assert.True(result.Losses[^1] < result.Losses[0]);
    }

    [Fact]
    public void Train_SeveralThings_SavesEachUnderItsName()
    {
        var builder = TinyRun.Builder(_folder)
            .WithLoRA(options => options with { Rank = 2, Parts = AdapterParts.UNet }, training =>
            training with { Name = "second", UNetRate = 1e-4 });
        var refused = Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems);
        Assert.Contains("{name}", refused.Remedy, StringComparison.Ordinal);
        var result = new Trainer(builder.Plan with { Savers = [new TrainableSaver(_folder.File("out", "{name}.safetensors"))] }).Train();
        Assert.Equal([_folder.File("out", "lora.safetensors"), _folder.File("out", "second.safetensors")], result.Files);
        Assert.NotEqual(TinyRun.Weights(result.Files[0]).Length, TinyRun.Weights(result.Files[1]).Length);
        Assert.All(result.Files, file =>
            Assert.All(TinyRun.Metadata(file).Keys, key => Assert.DoesNotContain("second.", key, StringComparison.Ordinal)));
    }

    [Fact]
    public void Train_BesideAFrozenAdapter_StartsFromWhatItMakesOfTheModel_AndLeavesItsFile()
    {
        var first = TinyRun.Builder(_folder, "first").WithLearningRate(0.1).Train();
        var plain = TinyRun.Builder(_folder, "plain").Train();
        var beside = TinyRun.Builder(_folder, "beside").WithFrozenAdapter(first.Files[0]).Train();
        Assert.NotEqual(plain.Losses[0], beside.Losses[0]);
        Assert.Single(beside.Files);
        Assert.Equal(TinyRun.Weights(plain.Files[0]).Length, TinyRun.Weights(beside.Files[0]).Length);
        var off = TinyRun.Builder(_folder, "off").WithFrozenAdapter(first.Files[0], multiplier: 0).Train();
        Assert.Equal(plain.Losses[0], off.Losses[0]);
    }

    /// <summary>Which parts a run trains says nothing of the parts that a file holds.</summary>
    [Fact]
    public void Train_TheUNetAlone_BesideAFrozenAdapterOfTheTextEncoderToo_AppliesAllOfIt()
    {
        var text = TinyRun.Builder(_folder, "text").WithParts(AdapterParts.All).WithLearningRate(0.1).Train();
        var plain = TinyRun.Builder(_folder, "plain").Train();
        var beside = TinyRun.Builder(_folder, "beside").WithFrozenAdapter(text.Files[0]).Train();
        Assert.Contains("encoded ahead without it", Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder, "cached")
            .WithFrozenAdapter(text.Files[0]).WithCachedTextEncoderOutputs().Build()).Message);
        Assert.NotEqual(plain.Losses[0], beside.Losses[0]);
        Assert.Equal(TinyRun.Weights(plain.Files[0]).Length, TinyRun.Weights(beside.Files[0]).Length);
    }

    [Fact]
    public void Train_AWholeModelAndAWord_WritesFilesThatLoad()
    {
        var whole = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64)
            .WithBatchSize(2)
            .WithFullTraining().WithLearningRate(1e-4).For(TrainingLength.Steps(2)).SaveTo(_folder.File("out", "whole")).Train();
        using (var model = ModelLoader.Load(_folder.File("out", "whole")))
        using (var before = ModelLoader.Load(SmallRun.Model(_folder)))
        {
            using var scope = NewDisposeScope();
            var moved = model.UNet.parameters().Zip(before.UNet.parameters(), (one, other) => (one - other).abs().max().item<float>())
                .ToArray();
            // AdamW moves each weight by about its rate in each step.
            Assert.InRange(moved.Max(), 1e-5, 3e-4);
            Assert.All(model.TextEncoder.parameters().Zip(before.TextEncoder.parameters()), pair =>
                Assert.True(pair.First.equal(pair.Second).all().item<bool>()));
        }

        Assert.NotEmpty(whole.Files);
        var word = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64)
            .WithTextualInversion("sksfrog", initWord: "frog", vectors: 2, template: Trainables.PromptTemplate.Object)
            .WithLearningRate(5e-3).For(TrainingLength.Steps(2))
                .SaveTo(_folder.File("out", "{name}.safetensors")).Train();
        Assert.Equal([_folder.File("out", "sksfrog.safetensors")], word.Files);
        using var rows = WeightFile.Open(word.Files[0]);
        using var embedding = rows.Load("emb_params");
        Assert.Equal([2, 48], embedding.shape);
    }

    [Fact]
    public void Train_ReadingLossesLate_LearnsTheSame_AndReportsEachStepOnce()
    {
        var (now, late) = (new Reports(), new Reports());
        var plain = TinyRun.Builder(_folder, "now").For(TrainingLength.Steps(6)).Train(now);
        var behind = new Trainer(TinyRun.Builder(_folder, "late").For(TrainingLength.Steps(6))
            .SaveEvery(steps: 4).Plan with { ReadsLossLate = true }).Train(late);
        Assert.Equal(plain.Losses, behind.Losses, new Near(1e-6));
        Assert.Equal(now.Steps.Select(report => report.Step), late.Steps.Select(report => report.Step));
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(behind.Files[0]), new NearFloat(1e-6f));
    }

    [Fact]
    public void Train_ReadingLossesLate_ANumberThatIsNone_ChangesNothing_AndNamesItsStepAndImages()
    {
        // Without numbers that are none, the weights after the step before.
        var good = TinyRun.Builder(_folder, "good").WithCachedLatents(false).For(TrainingLength.Steps(2)).Train();
        var plan = TinyRun.Builder(_folder, "bad").WithCachedLatents(false).For(TrainingLength.Steps(6))
            .WithNoise(new NoneFrom(third: 3)).Plan with { ReadsLossLate = true };
        var error = Assert.Throws<TrainingDivergedException>(() => new Trainer(plan).Train());
        Assert.Equal((3, "loss"), (error.Step, error.Quantity));
        Assert.Equal(2, error.Images.Count);
        Assert.Equal(TinyRun.Weights(good.Files[0]), TinyRun.Weights(Directory.GetFiles(_folder.File("out"), "bad*").Single()));
    }

    [Fact]
    public void Train_WhenMemoryRunsOut_SaysWhatTookIt_AndWhatToSwitchOn()
    {
        var before = TinyRun.HeldBefore();
        var error = Assert.Throws<TrainingMemoryException>(() => TinyRun.Builder(_folder).WithStage(new Greedy()).Train());
        Assert.Contains("WithGradientCheckpointing()", error.Message, StringComparison.Ordinal);
        Assert.Contains("WithBatchSize(1)", error.Message, StringComparison.Ordinal);
        Assert.True(error.Held["base weights"] > error.Held["trained weights"]
            && error.Held["optimizer state"] == 2 * error.Held["trained weights"]);
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    private sealed class Greedy : ITargetStage
    {
        public Tensor Change(Tensor target, StepPass pass) => empty(1L << 50);
    }

    private sealed class Near(double most) : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) <= most;

        public int GetHashCode(double value) => 0;
    }

    private sealed class NearFloat(float most) : IEqualityComparer<float>
    {
        public bool Equals(float x, float y) => Math.Abs(x - y) <= most;

        public int GetHashCode(float value) => 0;
    }

    private sealed class Halves(TemporaryFolder folder) : ILatentStage
    {
        public int Asked { get; private set; }

        public Tensor Latents(Batch batch)
        {
            _ = folder;
            Asked++;
            return full([batch.Count, 4, 8, 8], 0.5, dtype: ScalarType.Float32);
        }
    }

    private sealed class Zeros : IContextStage
    {
        public int Asked { get; private set; }

        public TextConditions Context(Batch batch)
        {
            Asked++;
            return new TextConditions(zeros(batch.Count, 77, 48));
        }
    }

    private sealed class Doubles : ITargetStage
    {
        public int Asked { get; private set; }

        public Tensor Change(Tensor target, StepPass pass)
        {
            Asked++;
            return target * 2;
        }
    }

    private sealed class Wrong : ILatentStage, IContextStage, ITargetStage, IDenoisingNetwork, INoiseSource, ITimestepSource
    {
        public bool TakesAddedConditions => false;

        public bool TakesMask => false;

        public Tensor Predict(Tensor noisyLatents, Tensor timesteps, UNetConditions conditions) => noisyLatents.narrow(1, 0, 1);

        public Tensor Draw(Tensor latents, Generator generator) => randn_like(latents.narrow(0, 0, 1));

        public Tensor Draw(int count, Generator generator) => zeros(1, ScalarType.Int64);

        public Tensor Latents(Batch batch) => zeros(batch.Count, 4, 8);

        public TextConditions Context(Batch batch) => new(zeros(1, 77, 48));

        public Tensor Change(Tensor target, StepPass pass) => zeros(1);
    }

    private sealed class Counting(UNet2DConditionModel unet) : IDenoisingNetwork
    {
        public int Asked { get; private set; }

        public bool TakesAddedConditions => false;

        public bool TakesMask => false;

        public Tensor Predict(Tensor noisyLatents, Tensor timesteps, UNetConditions conditions)
        {
            Asked++;
            return unet.call(noisyLatents, timesteps, conditions);
        }
    }

    /// <summary>Noise that is none from a batch on.</summary>
    private sealed class NoneFrom(int third) : INoiseSource
    {
        private int _asked;

        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var scope = NewDisposeScope();
            var noise = new NormalNoise().Draw(latents, generator);
            return (++_asked >= third ? noise * double.NaN : noise.alias()).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Teaches the UNet to predict nothing, without a single picture.</summary>
    /// <summary>Lets the text encoder say nothing; needs no other part of the model.</summary>
    private sealed record TextAlone : TrainingMethodOptions
    {
        public ModelParts Parts { get; private set; }

        public override MethodNeeds Needs => MethodNeeds.TextEncoder;

        public override ITrainingMethod Create(MethodSetup setup)
        {
            Parts = setup.Model.Parts;
            return new Method(PromptEncoder.For(setup.Model));
        }

        private sealed class Method(IPromptEncoder encoder) : ITrainingMethod
        {
            public Tensor Loss(Batch batch) => encoder.Encode(["a frog"], null, 75).Context.pow(2).mean();

            public void Dispose() { }
        }
    }

    private sealed record TowardsNothing : TrainingMethodOptions
    {
        public override MethodNeeds Needs => MethodNeeds.UNet;

        public override ITrainingMethod Create(MethodSetup setup) => new Method(setup);

        private sealed class Method(MethodSetup setup) : ITrainingMethod
        {
            public Tensor Loss(Batch batch)
            {
                using var scope = NewDisposeScope();
                var latents = full([1, 4, 8, 8], 0.3, dtype: ScalarType.Float32);
                var predicted = setup.Model.UNet.call(latents, tensor(new long[] { 500 }), new UNetConditions(zeros(1, 77, 48)));
                return predicted.pow(2).mean().MoveToOuterDisposeScope();
            }

            public void Dispose() { }
        }
    }
}
