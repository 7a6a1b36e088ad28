using System.Text.Json;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>A recorded run of tests/fixtures/training on a model of one text encoder: its batches as the stages of a step, and what the
/// reference measured at each.</summary>
internal sealed class RecordedSteps : IDisposable, ILatentStage, IContextStage, INoiseSource, ITimestepSource
{
    private readonly JsonDocument _run;
    private readonly StableDiffusionModel _model;
    private readonly bool _trainsText;
    private int _now;

    public RecordedSteps(string name, StableDiffusionModel model, bool trainsText = false)
    {
        (_model, _trainsText) = (model, trainsText);
        _run = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("training", name, "run.json")));
        Tensors = Golden.Open("training", name, "run.safetensors");
        // A golden file keeps what was read: read all now, so that the count of live tensors is the run's own.
        foreach (var tensor in Tensors.Names) _ = Tensors[tensor];
    }

    public Golden Tensors { get; }

    public JsonElement Settings => _run.RootElement;

    public double Rate => Settings.GetProperty("lr").GetDouble();

    /// <summary>Takes all recorded steps with a trainable, and compares loss and norm of each.</summary>
    /// <param name="trainable">Attached.</param>
    /// <param name="precise">Whether losses and norms are held to the float32 tolerances.</param>
    /// <param name="beforeUpdate">Called with the number of the step when its gradients are complete.</param>
    /// <param name="afterUpdate">Called with the number of the step when it is done.</param>
    /// <param name="conditions">What the network is told besides the text; null for nothing.</param>
    /// <param name="network">What predicts; null for the model's UNet.</param>
    public double[] Run(ITrainable trainable, bool precise = true, Action<int>? beforeUpdate = null, Action<int>? afterUpdate = null,
        IReadOnlyList<IConditionStage>? conditions = null, IDenoisingNetwork? network = null)
    {
        using var random = new TrainingRandom(new NamedSeeds(0));
        using var optimizer = new AdamWOptions().Create(trainable.Groups);
        var step = new TrainingStep(new TrainingStepParts
        {
            Latents = this, Context = this, Noise = this, Timesteps = this, Network = network ?? _model.UNet,
            Conditions = conditions ?? [],
            Schedule = NoiseSchedule.From(_model.Scheduler),
            Prediction = PredictionType.Of(_model.Scheduler.Prediction), Loss = new DiffusionLoss(), Trainables = [trainable],
            Random = random,
        });
        Tensor[] counted = [.. trainable.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value),
            .. trainable.ClippedAlong];
        var losses = new List<double>();
        foreach (var expected in Settings.GetProperty("steps").EnumerateArray())
        {
            _now = expected.GetProperty("step").GetInt32();
            using var scope = NewDisposeScope();
            using var batch = new Batch([.. Enumerable.Repeat("", (int)Recorded("latents").shape[0])], Recorded("loss_weights").clone())
            {
                Conditioning = ControlPictures(),
            };
            var loss = step.Run(batch, 1);
            beforeUpdate?.Invoke(_now);
            var norm = GradientNorm.Clip(counted, Settings.GetProperty("max_grad_norm").GetDouble());
            optimizer.Step(new StepInfo([.. trainable.Groups.Select(group => group.LearningRate)], _now));
            foreach (var tensor in counted) tensor.grad = null;
            afterUpdate?.Invoke(_now);
            losses.Add(loss);
            if (!precise) continue;
            Assert.True(Math.Abs(loss - expected.GetProperty("loss").GetDouble()) <= 5e-6, $"step {_now}: loss {loss:G9}");
            var expectedNorm = expected.GetProperty("grad_norm_before_clip").GetDouble();
            Assert.True(Math.Abs(norm - expectedNorm) <= 1e-5 * expectedNorm,
                $"step {_now}: gradient norm {norm:G9} instead of {expectedNorm:G9}");
        }

        return [.. losses];
    }

    public Tensor Latents(Batch batch) => Recorded("latents").clone();

    public TextConditions Context(Batch batch)
    {
        using var gradients = set_grad_enabled(_trainsText && is_grad_enabled());
        return new ClipPromptEncoder(_model.Tokenizer, (ClipTextModel)_model.TextEncoder).EncodeIds(Recorded("input_ids"));
    }

    Tensor INoiseSource.Draw(Tensor latents, Generator generator) => Recorded("noise").clone();

    Tensor ITimestepSource.Draw(int count, Generator generator) => Recorded("timesteps").clone();

    /// <summary>The second images, [B, 3, H, W] in 0 ... 1, of a run that has some: recorded are sixteenths of large pixels.</summary>
    private Tensor? ControlPictures()
    {
        const string name = "conditioning_x16_uint8_8x8";
        if (!Tensors.Contains($"step{_now}.{name}")) return null;
        using var scope = NewDisposeScope();
        var small = Recorded(name).to(ScalarType.Float32) / 16;
        // The picture is eight times as large as the latents.
        var factor = Recorded("latents").shape[2] * 8 / small.shape[2];
        return small.repeat_interleave(factor, 2).repeat_interleave(factor, 3).DetachFromDisposeScope();
    }

    public void Dispose()
    {
        Tensors.Dispose();
        _run.Dispose();
    }

    private Tensor Recorded(string what) => Tensors[$"step{_now}.{what}"];
}
