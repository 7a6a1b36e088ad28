using System.Text.Json;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Formats;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>sd-scripts' LoRA training, number by number: tests/fixtures/training/lora_fp32, lora_bf16 and lora_v_min_snr (SD 2.x, v
/// prediction).</summary>
public sealed class LoRATrajectoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("lora_fp32", false)]
    [InlineData("lora_fp32", true)]
    [InlineData("lora_v_min_snr", false)]
    [InlineData("lora_v_min_snr", true)]
    public void Float32_LossesGradientsAndWeights_FollowTheReference(string name, bool checkpointing)
    {
        using var run = new RecordedRun(_folder, name, PrecisionPolicy.Float32, checkpointing);
        foreach (var (step, expected) in run.Reference("steps").EnumerateArray().Select((s, i) => (i, s)))
        {
            var loss = run.Backward(step);
            if (step == 0) run.AssertGradients();
            var norm = run.Update();
            Assert.True(Math.Abs(loss - expected.GetProperty("loss").GetDouble()) <= 5e-6, $"step {step}: loss {loss:G9}");
            var expectedNorm = expected.GetProperty("grad_norm_before_clip").GetDouble();
            Assert.True(Math.Abs(norm - expectedNorm) <= 1e-5 * expectedNorm,
                $"step {step}: gradient norm {norm:G9} instead of {expectedNorm:G9}");
            if (step == 0 && name == "lora_fp32") run.AssertAfterFirstStep();
        }

        run.AssertFinalWeights();
    }

    [Fact]
    public void Save_TheReferencesTrainedWeightsOfSd2_GivesItsFile()
    {
        using var run = new RecordedRun(_folder, "lora_v_min_snr", PrecisionPolicy.Float32, checkpointing: false);
        run.Network.LoadWeights(Fixtures.Path("training", "lora_v_min_snr", "lora_final_fp32.safetensors")).ThrowIfIncomplete();
        using var expected = SafetensorsFile.Open(Fixtures.Path("training", "lora_v_min_snr", "lora_saved_fp16.safetensors"));
        var path = _folder.File("lora.safetensors");
        run.Network.Save(path, expected.Metadata.Where(entry => !entry.Key.StartsWith("sshs_", StringComparison.Ordinal)).ToDictionary(),
            ScalarType.Float16);
        using var actual = SafetensorsFile.Open(path);
        Assert.Equal(expected.Tensors.Select(info => info.Name), actual.Tensors.Select(info => info.Name));
        foreach (var info in expected.Tensors) Assert.True(expected.Span(info.Name).SequenceEqual(actual.Span(info.Name)), info.Name);
        Assert.Equal(expected.Metadata.OrderBy(e => e.Key, StringComparer.Ordinal),
            actual.Metadata.Where(e => e.Key != "modelspec.hash_sha256"));
    }

    [Fact]
    public void BFloat16_StaysNearTheReference()
    {
        using var run = new RecordedRun(_folder, "lora_bf16", PrecisionPolicy.BFloat16, checkpointing: false);
        foreach (var (step, expected) in run.Reference("steps").EnumerateArray().Select((s, i) => (i, s)))
        {
            var loss = run.Backward(step);
            run.Update();
            Assert.True(Math.Abs(loss - expected.GetProperty("loss").GetDouble()) <= 5e-3, $"step {step}: loss {loss:G9}");
        }

        Assert.True(run.CosineOfChange() > 0.99, $"cosine {run.CosineOfChange():F5}");
    }

    [Fact]
    public void Step_LeavesAsManyLiveTensorsAsItFound()
    {
        using var run = new RecordedRun(_folder, "lora_fp32", PrecisionPolicy.Float32, checkpointing: true);
        run.Backward(0);
        run.Update();
        var before = HeldTensors.Before();
        for (var step = 1; step < 4; step++)
        {
            run.Backward(step);
            run.Update();
            Assert.Equal(before, TensorCount.Live);
        }
    }

    [Fact]
    public void Accumulation_GradientsAreTheMeanOfThoseOfTheBatches()
    {
        using var scope = NewDisposeScope();
        using var run = new RecordedRun(_folder, "lora_fp32", PrecisionPolicy.Float32, checkpointing: false);
        run.Backward(0);
        var first = run.TakeGradients();
        run.Backward(1);
        var second = run.TakeGradients();
        run.Backward(0, accumulation: 2);
        run.Backward(1, accumulation: 2);
        var both = run.TakeGradients();
        Assert.True((first - second).norm().ToDouble() > 0.1 * first.norm().ToDouble());
        // Rounding of sums of the same numbers in another order.
        Assert.InRange((both - (first + second) / 2).norm().ToDouble(), 0, 1e-5 * both.norm().ToDouble());
    }

    [Fact]
    public void NonFiniteLoss_NamesTheCause_AndAddsNoGradients()
    {
        using var run = new RecordedRun(_folder, "lora_fp32", PrecisionPolicy.Float32, checkpointing: false);
        Assert.Throws<TrainingDivergedException>(() => run.Backward(0, latents => latents * double.NaN));
        Assert.All(run.Parameters, p => Assert.Null(p.Value.grad));
    }

    /// <summary>The model, the recorded initial weights and the recorded batches.</summary>
    private sealed class RecordedRun : IDisposable, ILatentStage, IContextStage, INoiseSource, ITimestepSource
    {
        private readonly string _name;
        private readonly Golden _batches, _initial;
        private readonly StableDiffusionModel _model;
        private readonly AdapterTrainable _target;
        private readonly IOptimizer _optimizer;
        private readonly TrainingRandom _random = new(new NamedSeeds(0));
        private readonly TrainingStep _step;
        private readonly ClipPromptEncoder _prompts;
        private readonly JsonElement _reference;
        private readonly double[] _rates;
        private Func<Tensor, Tensor>? _change;
        private int _now;

        public RecordedRun(TemporaryFolder folder, string name, PrecisionPolicy precision, bool checkpointing)
        {
            _name = name;
            _reference = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("training", name, "run.json"))).RootElement;
            _batches = Golden.Open("training", name, "batches.safetensors");
            var isSd2 = _reference.GetProperty("model").GetString() == "tiny-sd21-v";
            var initial = isSd2 ? name : "lora_fp32";
            _initial = Golden.Open("training", initial, "lora_down_initial.safetensors");
            // A golden file keeps what was read: read all now, so that the count of live tensors is the run's own.
            foreach (var recorded in _batches.Names) _ = _batches[recorded];
            _model = ModelLoader.Load(isSd2 ? FixtureModels.TinySd21V(folder) : FixtureModels.TinySd15(folder),
                new ModelLoadOptions { WeightType = precision.Weights });
            _model.UNet.SetRequiresGrad(false);
            _model.TextEncoder.SetRequiresGrad(false);
            _model.UNet.GradientCheckpointing = _model.TextEncoder.GradientCheckpointing = checkpointing;
            _target = (AdapterTrainable)new AdapterTrainableOptions { Adapter = new LoRAOptions { Rank = 4, Alpha = 2 } }.Create(
                new TrainingPlan { LearningRate = 1e-3 });
            _target.Attach(Setup.Of(_model, _random));
            Assert.Empty(_target.Network.LoadWeights(Fixtures.Path("training", initial, "lora_down_initial.safetensors")).Mismatched);
            _prompts = new ClipPromptEncoder(_model.Tokenizer, (ClipTextModel)_model.TextEncoder);
            Assert.Equal(_reference.GetProperty("param_groups").EnumerateArray().Select(g => g.GetString()),
                _target.Groups.Select(g => g.Name));
            _rates = [_reference.GetProperty("lr_text_encoder").GetDouble(), _reference.GetProperty("lr_unet").GetDouble()];
            _optimizer = new AdamWOptions().Create(_target.Groups);
            _step = new TrainingStep(new TrainingStepParts
            {
                Latents = this, Context = this, Noise = this, Timesteps = this, Network = _model.UNet,
                Schedule = NoiseSchedule.From(_model.Scheduler),
                Prediction = PredictionType.Of(_model.Scheduler.Prediction), Loss = Loss(_reference), Trainables = [_target],
                Random = _random,
            });
        }

        public AdapterNetwork Network => _target.Network;

        public IEnumerable<NamedParameter> Parameters => _target.Groups.SelectMany(g => g.Parameters);

        public JsonElement Reference(string property) => _reference.GetProperty(property);

        public double Backward(int step, Func<Tensor, Tensor>? changeLatents = null, int accumulation = 1)
        {
            using var scope = NewDisposeScope();
            (_now, _change) = (step, changeLatents);
            using var batch = new Batch(["", ""], Recorded("loss_weights").clone());
            return _step.Run(batch, accumulation);
        }

        /// <summary>All gradients in one row; they are gone afterwards.</summary>
        public Tensor TakeGradients()
        {
            using var scope = NewDisposeScope();
            var all = cat([.. Parameters.Select(p => p.Value.grad!.flatten())], 0);
            foreach (var parameter in Parameters) parameter.Value.grad = null;
            return all.MoveToOuterDisposeScope();
        }

        public double Update()
        {
            var norm = GradientNorm.Clip(Parameters.Select(p => p.Value), _reference.GetProperty("max_grad_norm").GetDouble());
            _optimizer.Step(new StepInfo(_rates, _now));
            foreach (var parameter in Parameters) parameter.Value.grad = null;
            return norm;
        }

        public void AssertGradients()
        {
            using var scope = NewDisposeScope();
            var recorded = Parameters.Where(p => _batches.Contains($"step0.grad.{p.Name}")).ToArray();
            Assert.NotEmpty(recorded);
            foreach (var (name, value) in recorded) _batches.AssertClose($"step0.grad.{name}", value.grad!, 1e-4, relativeToMax: true);
        }

        public void AssertAfterFirstStep()
        {
            using var scope = NewDisposeScope();
            using var golden = Golden.Open("training", _name, "lora_after_step1_up.safetensors");
            foreach (var (name, value) in Parameters.Where(p => golden.Contains(p.Name))) golden.AssertClose(name, value, 1e-4);
        }

        /// <summary>At most 1e-4 anywhere, and at most 0.1 % of the elements above 1e-5.</summary>
        public void AssertFinalWeights()
        {
            using var scope = NewDisposeScope();
            using var golden = Golden.Open("training", _name, "lora_final_fp32.safetensors");
            long all = 0, far = 0;
            foreach (var (name, value) in Parameters)
            {
                golden.AssertClose(name, value, 1e-4);
                all += value.numel();
                far += (value - golden[name]).abs().gt(1e-5).sum().ToInt64();
            }

            Assert.True(all > 10_000);
            Assert.True(far <= all / 1000, $"{far} of {all} elements differ by more than 1e-5");
        }

        public double CosineOfChange()
        {
            using var scope = NewDisposeScope();
            using var golden = Golden.Open("training", _name, "lora_final_fp32.safetensors");
            var (dot, own, theirs) = (0.0, 0.0, 0.0);
            foreach (var (name, value) in Parameters)
            {
                var start = _initial.Contains(name) ? _initial[name] : zeros_like(value);
                var (a, b) = ((value.detach() - start).to(ScalarType.Float64), (golden[name] - start).to(ScalarType.Float64));
                dot += (a * b).sum().ToDouble();
                own += (a * a).sum().ToDouble();
                theirs += (b * b).sum().ToDouble();
            }

            return dot / Math.Sqrt(own * theirs);
        }

        private static DiffusionLoss Loss(JsonElement reference) =>
            reference.TryGetProperty("args", out var arguments) && arguments.TryGetProperty("min_snr_gamma", out var gamma)
                && gamma.ValueKind == JsonValueKind.Number
                ? new DiffusionLoss { Weightings = [new MinSnrWeighting { Gamma = gamma.GetDouble() }] }
                : new DiffusionLoss();

        public Tensor Latents(Batch batch) => _change is null ? Recorded("latents").clone() : _change(Recorded("latents"));

        public TextConditions Context(Batch batch) => _prompts.EncodeIds(Recorded("input_ids"));

        Tensor INoiseSource.Draw(Tensor latents, Generator generator) => Recorded("noise").clone();

        Tensor ITimestepSource.Draw(int count, Generator generator) => Recorded("timesteps").clone();

        public void Dispose()
        {
            _optimizer.Dispose();
            _target.Dispose();
            _model.Dispose();
            _random.Dispose();
            _batches.Dispose();
            _initial.Dispose();
        }

        private Tensor Recorded(string what) => _batches[$"step{_now}.{what}"];
    }
}
