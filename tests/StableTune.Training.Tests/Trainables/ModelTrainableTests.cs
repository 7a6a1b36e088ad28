using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>Training a whole UNet against the reference: tests/fixtures/training/finetune_unet.</summary>
public sealed class ModelTrainableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Float32_LossesNormsAndWeights_FollowTheReference(bool checkpointing)
    {
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing);
        run.Steps.Run(run.Trainable);
        using var scope = NewDisposeScope();
        var names = run.Steps.Tensors.Names.Where(name => name.StartsWith("delta.", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(names);
        foreach (var name in names) run.Steps.Tensors.AssertClose(name, run.Change(name["delta.".Length..]), 1e-6);
    }

    [Fact]
    public void BFloat16_WithMastersInFloat32_LearnsNearlyTheSame()
    {
        using var whole = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false);
        using var half = new Whole(_folder, PrecisionPolicy.BFloat16, checkpointing: false);
        Assert.All(half.Trainable.Groups.SelectMany(group => group.Parameters), parameter =>
            Assert.Equal(ScalarType.Float32, parameter.Value.dtype));
        Assert.Equal(ScalarType.BFloat16, half.Model.TextEncoder.parameters().First().dtype);
        var (first, second) = (Array.Empty<float>(), Array.Empty<float>());
        var losses = whole.Steps.Run(whole.Trainable, beforeUpdate: step => first = step == 0 ? whole.Gradients() : first);
        var rounded = half.Steps.Run(half.Trainable, precise: false, beforeUpdate: step => second = step == 0 ? half.Gradients() : second);
        // The tiny model in bfloat16 predicts about 0.7 % differently before it has learned anything.
        foreach (var (loss, other) in losses.Zip(rounded)) Assert.Equal(loss, other, 1.5e-2);
        Assert.InRange(Cosine(first, second), 0.99, 1);
        // The steps are about as large as the rounding of bfloat16: held in it, most weights would not have moved at all.
        Assert.InRange(Cosine(whole.Changes(), half.Changes()), 0.97, 1);
    }

    [Fact]
    public void Gradients_OfASmallUNetInFloat64_AreThoseOfFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using (no_grad())
            foreach (var parameter in unet.parameters()) parameter.SetData(parameter.to(ScalarType.Float64));
        unet.SetRequiresGrad(true);
        using var random = new Generator(3);
        Tensor Draw(params long[] shape) => randn(shape, dtype: ScalarType.Float64, generator: random);
        var (latents, context, target) = (Draw(1, 4, 8, 8), Draw(1, 7, UNetOptions.Tiny.CrossAttentionDim), Draw(1, 4, 8, 8));
        Tensor Loss() => (unet.call(latents, tensor(new long[] { 321 }), context) - target).pow(2).mean();
        Gradients.Backward(Loss());
        foreach (var (name, parameter) in unet.named_parameters().Where((_, i) => i % 17 == 0))
        {
            const double h = 1e-5;
            var flat = parameter.detach().view(-1);
            var place = flat.numel() / 2;
            double At(double change)
            {
                using var frozen = no_grad();
                flat[place].add_(change);
                var loss = Loss().item<double>();
                flat[place].sub_(change);
                return loss;
            }

            var numeric = (At(h) - At(-h)) / (2 * h);
            Assert.Equal(numeric, parameter.grad!.view(-1)[place].item<double>(), 1e-6 + 1e-4 * Math.Abs(numeric));
        }
    }

    [Fact]
    public void Attach_DoesNotChangeTheFile_AndDisposeFreezesTheModelAgain()
    {
        var before = File.ReadAllBytes(Path.Combine(FixtureModels.TinySd15(_folder), "unet", "diffusion_pytorch_model.safetensors"));
        using (var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false))
        {
            run.Steps.Run(run.Trainable);
            run.Trainable.Dispose();
            Assert.All(run.Model.UNet.parameters(), parameter => Assert.False(parameter.requires_grad));
        }

        Assert.Equal(before, File.ReadAllBytes(
            Path.Combine(FixtureModels.TinySd15(_folder), "unet", "diffusion_pytorch_model.safetensors")));
    }

    /// <summary>Instance and regularisation images together, UNet and text encoder: tests/fixtures/training/dreambooth.</summary>
    [Fact]
    public void DreamBooth_LossesNormsAndWeights_FollowTheReference()
    {
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, "dreambooth",
            new() { Parts = ModelParts.UNet | ModelParts.TextEncoder });
        run.Steps.Run(run.Trainable);
        using var scope = NewDisposeScope();
        var names = run.Steps.Tensors.Names.Where(name => name.StartsWith("delta.", StringComparison.Ordinal)).ToArray();
        Assert.Contains(names, name => name.StartsWith("delta.text_encoder.", StringComparison.Ordinal));
        foreach (var name in names) run.Steps.Tensors.AssertClose(name, run.Change(name["delta.".Length..]), 1e-6);
    }

    [Fact]
    public void StopTextEncoder_FromThatStepOn_ItStaysBitForBit()
    {
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, "dreambooth",
            new() { Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 2 });
        var texts = new List<float[]>();
        run.Steps.Run(run.Trainable, precise: false, afterUpdate: step =>
        {
            run.Trainable.AfterStep(new StepMoment(step, 5));
            texts.Add(run.Values("text_encoder."));
        });
        Assert.NotEqual(texts[0], texts[1]);
        Assert.All(texts.Skip(2), text => Assert.Equal(texts[1], text));
        Assert.False(run.Model.TextEncoder.training);
        Assert.True(run.Model.UNet.training);

        // A run that goes on from there goes on without it.
        using var resumed = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, "dreambooth",
            new() { Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 2 });
        Setup.Copy(run.Trainable, resumed.Trainable);
        Assert.Equal(run.Values(""), resumed.Values(""));
        Assert.All(resumed.Model.TextEncoder.parameters(), parameter => Assert.False(parameter.requires_grad));
    }

    [Fact]
    public void StopTextEncoder_AtZero_NeverTrainsIt()
    {
        var options = new ModelTrainableOptions { Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 0 };
        Assert.False(options.TrainsTextEncoder(new()));
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, options: options);
        Assert.Equal(["unet"], run.Trainable.Groups.Select(group => group.Name));
        Assert.Contains("trained to the end", Assert.Single(new ModelTrainableOptions
        {
            Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 9,
        }.Create(new TrainingPlan { Length = TrainingLength.Steps(5) }).Warnings));
    }

    [Fact]
    public void Include_AndExclude_ChooseTensorsByName()
    {
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, options: new()
        {
            Include = [@"\.attn2\."], Exclude = [StableTune.Adapters.LayerSelection.Glob("*to_out*")],
        });
        var names = run.Trainable.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Name).ToList();
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Contains(".attn2.to_", name));
        Assert.DoesNotContain(names, name => name.Contains("to_out", StringComparison.Ordinal));
        Assert.All(run.Model.UNet.named_parameters(),
            entry => Assert.Equal(names.Contains("unet." + entry.name), entry.parameter.requires_grad));
        run.Steps.Run(run.Trainable, precise: false);
        Assert.NotEqual(0, run.Changes().Max(Math.Abs));
    }

    [Fact]
    public void BlockRates_GiveEachBlockAGroup_AndLeaveBlocksOf0AsTheyAre()
    {
        double[] rates = [.. Enumerable.Range(0, 25).Select(i => i is 3 or 12 ? 0 : 1e-5 * (i + 1))];
        using var run = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, options: new() { BlockLearningRates = rates });
        var groups = run.Trainable.Groups.ToDictionary(group => group.Name);
        Assert.Equal(rates[0], groups["unet block 0"].LearningRate);
        Assert.Equal(rates[24], groups["unet block 24"].LearningRate);
        Assert.False(groups.ContainsKey("unet block 3") || groups.ContainsKey("unet block 12"));
        Assert.All(run.Model.UNet.named_parameters().Where(entry => entry.name.StartsWith("mid_block.", StringComparison.Ordinal)),
            entry => Assert.False(entry.parameter.requires_grad));
        string Block(string parameter) => groups.Values.Single(group => group.Parameters.Any(entry => entry.Name == parameter)).Name;
        Assert.Equal("unet block 0", Block("unet.conv_in.weight"));
        Assert.Equal("unet block 0", Block("unet.time_embedding.linear_1.weight"));
        Assert.Equal("unet block 24", Block("unet.conv_out.weight"));
        Assert.Equal("unet block 13", Block("unet.up_blocks.0.resnets.0.conv1.weight"));

        using var factors = new Whole(_folder, PrecisionPolicy.Float32, checkpointing: false, options: new()
        {
            UNetRate = 2, BlockRates = new() { Down = BlockCurve.Of(0.5, 0), Mid = BlockCurve.Of(0.25) },
        });
        var scaled = factors.Trainable.Groups.ToDictionary(group => group.Name, group => group.LearningRate);
        Assert.Equal([1.0, 0.5, 2.0], [scaled["unet block 0"], scaled["unet block 12"], scaled["unet block 24"]]);
        Assert.False(scaled.ContainsKey("unet block 1"));
    }

    [Fact]
    public void Validate_TellsWhatCannotWork()
    {
        var plan = new TrainingPlan();
        static string Told(IEnumerable<OptionProblem> problems) => string.Join('\n', problems);
        Assert.Contains("BlockLearningRates", Told(new ModelTrainableOptions { BlockLearningRates = [-1] }.Validate()));
        Assert.Contains("twice", Told(new ModelTrainableOptions { BlockLearningRates = [1], BlockRates = new() }.Validate()));
        Assert.Contains("ModelTrainableOptions.Include", Told(new ModelTrainableOptions { Include = ["("] }.Validate()));
        Assert.Contains("not trained at all", Told(new ModelTrainableOptions { StopTextEncoderAt = 3 }.Fits(plan)));
        Assert.Contains("UNet is not trained",
            Told(new ModelTrainableOptions { Parts = ModelParts.TextEncoder, BlockRates = new() }.Fits(plan)));
        using var scope = NewDisposeScope();
        var model = ModelConfiguration.Find(FixtureModels.TinySd15(_folder), new ModelLoadOptions())!;
        Assert.Contains("25 blocks", Told(new ModelTrainableOptions { BlockLearningRates = [1, 2] }.Fits(plan, model)));
        Assert.Contains("no tensor", Told(new ModelTrainableOptions { Include = ["nowhere"] }.Fits(plan, model)));
        Assert.Empty(new ModelTrainableOptions { Parts = ModelParts.UNet | ModelParts.TextEncoder, Include = ["norm"] }.Fits(plan, model));
    }

    private static double Cosine(float[] one, float[] other)
    {
        var (dot, a, b) = (0.0, 0.0, 0.0);
        for (var i = 0; i < one.Length; i++) (dot, a, b) = (
            dot + ((double)one[i] * other[i]), a + ((double)one[i] * one[i]), b + ((double)other[i] * other[i]));
        return dot / Math.Sqrt(a * b);
    }

    private sealed class Whole : IDisposable
    {
        private readonly TrainingRandom _random = new(new NamedSeeds(0));
        private readonly Dictionary<string, Tensor> _initial;

        public Whole(TemporaryFolder folder, PrecisionPolicy precision, bool checkpointing, string recorded = "finetune_unet",
            ModelTrainableOptions? options = null)
        {
            Model = ModelLoader.Load(FixtureModels.TinySd15(folder), new ModelLoadOptions { WeightType = precision.Weights });
            Model.UNet.GradientCheckpointing = checkpointing;
            Model.UNet.ComputeType = Model.TextEncoder.ComputeType = precision.Compute;
            Steps = new RecordedSteps(recorded, Model, options?.Parts.HasFlag(ModelParts.TextEncoder) == true);
            var plan = new TrainingPlan { LearningRate = Steps.Rate, Precision = precision };
            Trainable = (options ?? new()).Create(plan);
            Trainable.Attach(Setup.Of(Model, _random, plan));
            _initial = Parameters.ToDictionary(parameter => parameter.Name, parameter =>
                parameter.Value.detach().clone().DetachFromDisposeScope());
        }

        public StableDiffusionModel Model { get; }

        public RecordedSteps Steps { get; }

        public ITrainable Trainable { get; }

        private IEnumerable<StableTune.Optimizers.NamedParameter> Parameters => Trainable.Groups.SelectMany(group => group.Parameters);

        public Tensor Change(string name) => Parameters.Single(parameter => parameter.Name == name).Value.detach() - _initial[name];

        /// <summary>All trained numbers whose names begin so.</summary>
        public float[] Values(string prefix)
        {
            using var scope = NewDisposeScope();
            return cat([.. Parameters.Where(parameter => parameter.Name.StartsWith(prefix, StringComparison.Ordinal))
                .Select(parameter => parameter.Value.detach().flatten())], 0L).data<float>().ToArray();
        }

        public float[] Gradients()
        {
            using var scope = NewDisposeScope();
            return cat([.. Parameters.Select(parameter => parameter.Value.grad!.flatten().to(ScalarType.Float32))], 0L).data<float>()
                .ToArray();
        }

        public float[] Changes()
        {
            using var scope = NewDisposeScope();
            return cat([.. Parameters.Select(parameter => Change(parameter.Name).flatten())], 0L).data<float>().ToArray();
        }

        public void Dispose()
        {
            Trainable.Dispose();
            Steps.Dispose();
            Model.Dispose();
            _random.Dispose();
            foreach (var tensor in _initial.Values) tensor.Dispose();
        }
    }
}
