using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Three steps of training SDXL's whole UNet against the reference: tests/fixtures/training/sdxl_finetune.</summary>
public sealed class SdxlTrajectoryTests : IDisposable, ILatentStage, IContextStage, INoiseSource, ITimestepSource
{
    private readonly TemporaryFolder _folder = new();
    private readonly Golden _recorded = Golden.Open("training", "sdxl_finetune", "run.safetensors");
    private readonly StableDiffusionModel _model;
    private readonly SdxlPromptEncoder _prompts;
    private readonly TrainingRandom _random = new(new NamedSeeds(0));
    private int _now;

    public SdxlTrajectoryTests()
    {
        // A golden file keeps what was read: read all now, so that the count of live tensors is the run's own.
        foreach (var name in _recorded.Names) _ = _recorded[name];
        _model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        _prompts = (SdxlPromptEncoder)PromptEncoder.For(_model);
    }

    public void Dispose()
    {
        _model.Dispose();
        _recorded.Dispose();
        _random.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Float32_LossesGradientsAndWeights_FollowTheReference(bool checkpointing)
    {
        using var scope = NewDisposeScope();
        using var json = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("training", "sdxl_finetune", "run.json")));
        var rate = json.RootElement.GetProperty("lr").GetDouble();
        _model.UNet.SetRequiresGrad(true);
        _model.UNet.GradientCheckpointing = checkpointing;
        NamedParameter[] parameters = [.. _model.UNet.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))];
        var initial = parameters.ToDictionary(p => p.Name, p => p.Value.detach().clone());
        using var optimizer = new AdamWOptions { WeightDecay = 0.01 }.Create([new ParameterGroup("unet", parameters, rate)]);
        var step = Step();

        foreach (var (index, expected) in json.RootElement.GetProperty("steps").EnumerateArray().Select((s, i) => (i, s)))
        {
            _now = index;
            using var inStep = NewDisposeScope();
            using var batch = Batch();
            var loss = step.Run(batch, 1);
            var norm = GradientNorm.Clip(parameters.Select(p => p.Value), json.RootElement.GetProperty("max_grad_norm").GetDouble());
            optimizer.Step(new StepInfo([rate], 0));
            foreach (var parameter in parameters) parameter.Value.grad = null;
            Assert.True(Math.Abs(loss - expected.GetProperty("loss").GetDouble()) <= 5e-6, $"step {index}: loss {loss:G9}");
            var expectedNorm = expected.GetProperty("grad_norm_before_clip").GetDouble();
            Assert.True(Math.Abs(norm - expectedNorm) <= 1e-5 * expectedNorm,
                $"step {index}: gradient norm {norm:G9} instead of {expectedNorm:G9}");
        }

        var values = parameters.ToDictionary(p => p.Name, p => p.Value);
        var deltas = _recorded.Names.Where(name => name.StartsWith("delta.unet.", StringComparison.Ordinal)).ToArray();
        Assert.Equal(8, deltas.Length);
        foreach (var name in deltas)
            _recorded.AssertClose(name, values[name["delta.unet.".Length..]].detach() - initial[name["delta.unet.".Length..]], 1e-6);
    }

    [Fact]
    public void Step_LeavesAsManyLiveTensorsAsItFound()
    {
        _model.UNet.SetRequiresGrad(true);
        var step = Step();
        long? live = null;
        for (var i = 0; i < 3; i++)
        {
            using (NewDisposeScope())
            {
                using var batch = Batch();
                step.Run(batch, 1);
                foreach (var parameter in _model.UNet.parameters()) parameter.grad = null;
            }

            if (live is { } before) Assert.Equal(before, TensorCount.Live);
            live = TensorCount.Live;
        }
    }

    [Fact]
    public void Step_PooledTextMissing_SaysWhatToGive()
    {
        var step = Step(new NoPooled(_prompts, _recorded));
        using var batch = Batch();
        var error = Assert.Throws<InvalidOperationException>(() => step.Run(batch, 1));
        Assert.Contains("TextConditions.Pooled", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_BatchThatSaysNothingOfSizes_IsOfWholePictures()
    {
        using var scope = NewDisposeScope();
        var step = Step();
        double Loss(IReadOnlyList<MicroConditioning> sizes)
        {
            using var batch = new Batch(["", ""]) { Sizes = sizes };
            return step.Run(batch, 1);
        }

        _model.UNet.SetRequiresGrad(true);
        var whole = new MicroConditioning(new PixelSize(96, 128), 0, 0, new PixelSize(96, 128));
        Assert.Equal(Loss([whole, whole]), Loss([]));
        Assert.NotEqual(Loss([whole, whole with { CropLeft = 400 }]), Loss([]));
    }

    private TrainingStep Step(IContextStage? context = null) => new(new TrainingStepParts
    {
        Latents = this, Context = context ?? this, Noise = this, Timesteps = this, Network = _model.UNet,
        Schedule = NoiseSchedule.From(_model.Scheduler),
        Prediction = PredictionType.Epsilon, Loss = new DiffusionLoss(), Random = _random,
    });

    /// <summary>The recorded weights and sizes (original height and width, crop top and left, target height and width).</summary>
    private Batch Batch()
    {
        using var scope = NewDisposeScope();
        var ids = Recorded("time_ids").data<float>().ToArray().Select(number => (int)number).Chunk(6);
        return new Batch(["", ""], Recorded("loss_weights").clone())
        {
            Sizes = [.. ids.Select(id => new MicroConditioning(new PixelSize(id[1], id[0]), id[3], id[2], new PixelSize(id[5], id[4])))],
        };
    }

    public Tensor Latents(Batch batch) => Recorded("latents").clone();

    public TextConditions Context(Batch batch)
    {
        using var frozen = no_grad();
        return _prompts.EncodeIds(Recorded("input_ids1"), Recorded("input_ids2"));
    }

    Tensor INoiseSource.Draw(Tensor latents, Generator generator) => Recorded("noise").clone();

    Tensor ITimestepSource.Draw(int count, Generator generator) => Recorded("timesteps").clone();

    private Tensor Recorded(string what) => _recorded[$"step{_now}.{what}"];

    private sealed class NoPooled(SdxlPromptEncoder prompts, Golden recorded) : IContextStage
    {
        public TextConditions Context(Batch batch) =>
            prompts.EncodeIds(recorded["step0.input_ids1"], recorded["step0.input_ids2"]) with { Pooled = null };
    }
}
