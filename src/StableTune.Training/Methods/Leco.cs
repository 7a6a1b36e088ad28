using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Tensors;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>LECO's step: a picture part of the way, predictions without the adapter, and one with it that learns their
/// combination.</summary>
internal sealed class Leco : ITrainingMethod
{
    private const int Target = 0, Positive = 1, Negative = 2, Neutral = 3;

    private readonly LecoOptions _options;
    private readonly MethodSetup _setup;
    private readonly IDenoisingNetwork _network;
    private readonly IPromptEncoder _encoder;
    private readonly TrainableStrength _strength;
    private readonly NoiseSchedule _schedule;
    private readonly NoiseSchedule? _weighting;
    private readonly PredictionType _prediction;
    private readonly ISampler _sampler;
    private readonly Generator _random;

    // One a pair, where nothing that is trained changes what the text encoder gives; its prompts are encoded once.
    private readonly TextConditions?[] _encoded;

    public Leco(LecoOptions options, MethodSetup setup)
    {
        (_options, _setup, _random) = (options, setup, setup.Random["leco"]);
        _network = setup.Plan.Stages.Network ?? setup.Model.UNet;
        _encoder = PromptEncoder.For(setup.Model);
        _strength = new TrainableStrength(setup.Trainables);
        _schedule = NoiseSchedule.From(setup.Model.Scheduler);
        _weighting = setup.WeightingSchedule;
        _prediction = PredictionType.Of(setup.Model.Scheduler.Prediction);
        _sampler = options.Sampler ?? SamplerCatalog.Default.For(setup.Model.Scheduler).Sampler;
        _encoded = new TextConditions?[options.Pairs.Count];
    }

    private bool TextChanges => _setup.Plan.ChangesTextEncoder;

    private bool TrainsText => _setup.Plan.TrainsTextEncoder;

    public Tensor Loss(Batch batch)
    {
        using var scope = NewDisposeScope();
        var index = Draw(_options.Pairs.Count);
        var pair = _options.Pairs[index];
        var partway = Partway(Prompts(index, training: false));
        var timesteps = full([_options.BatchSize], (long)partway.Time, dtype: ScalarType.Int64, device: partway.Latents.device);
        var target = Goal(pair, index, partway.Latents, timesteps);                                    // [B, C, h, w]
        var predicted = Predict(partway.Latents, timesteps, Prompts(index, training: true), Target);
        var loss = _setup.Plan.Loss.Compute(new LossInputs
        {
            Predicted = predicted, Target = target, Timesteps = timesteps, Schedule = _schedule, Prediction = _prediction,
            SampleWeights = full([_options.BatchSize], pair.Weight, dtype: ScalarType.Float32, device: predicted.device),
            WeightingSchedule = _weighting,
        });
        Samples = new SampleLosses(loss.PerSample.detach().MoveToOuterDisposeScope(), timesteps.MoveToOuterDisposeScope(), _schedule.Count);
        return loss.Mean.MoveToOuterDisposeScope();
    }

    public SampleLosses? Samples { get; private set; }

    public void EndBatch() => Samples = null;

    public void Dispose()
    {
        foreach (var text in _encoded) text?.Dispose();
        Array.Clear(_encoded);
    }

    /// <summary>What is to be predicted for the target's prompt: neutral + factor (positive - negative), all without the
    /// adapter.</summary>
    private Tensor Goal(LecoPair pair, int index, Tensor latents, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var strength = _strength.Set(0);
        var text = Prompts(index, training: false);
        Tensor For(int prompt) => Predict(latents, timesteps, text, prompt);
        var goal = For(Neutral) + (For(Positive) - For(Negative)) * pair.Factor;
        return goal.MoveToOuterDisposeScope();
    }

    /// <summary>Latents, as the network takes them, after a random part of the way from noise to a picture of the target's prompt, and the
    /// time that they belong to. The adapter acts, without its dropouts.</summary>
    private (Tensor Latents, double Time) Partway(TextConditions text)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var times = _sampler.Times(_schedule, _options.MaxDenoisingSteps);
        var (way, noise) = (new PartOfAWay(Draw(times.Timesteps.Count)), Noise(times.InitialSigma, text.Context.device));
        foreach (var trainable in _setup.Trainables) trainable.SetTraining(false);
        try
        {
            way.Walk(_sampler, Guided, noise, times, new SamplingContext
            {
                Schedule = _schedule, Prediction = _prediction, Noise = (like, _, _) => Noise(1, like.device).to(like.dtype),
            });
        }
        finally
        {
            foreach (var trainable in _setup.Trainables) trainable.SetTraining(true);
        }

        return (way.Latents.MoveToOuterDisposeScope(), way.Time);

        Tensor Guided(Tensor input, double time)
        {
            using var inCall = NewDisposeScope();
            var at = full([_options.BatchSize], time, dtype: ScalarType.Float32, device: input.device);
            var wanted = Predict(input, at, text, Target);
            if (_options.DenoisingGuidance <= 1) return wanted.MoveToOuterDisposeScope();
            var other = Predict(input, at, text, Negative);
            return (other + (wanted - other) * _options.DenoisingGuidance).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Conditions of a pair's four prompts, [4, L, C], in the open scope: with gradients where the text encoder is trained and
    /// this is the pass that learns.</summary>
    private TextConditions Prompts(int index, bool training)
    {
        using var gradients = set_grad_enabled(training && TrainsText && is_grad_enabled());
        var prompts = _options.Pairs[index].Prompts;
        if (TextChanges) return _setup.Plan.Encode(_encoder, prompts);
        return _encoded[index] ??= _setup.Plan.Encode(_encoder, prompts).DetachFromDisposeScope();
    }

    /// <summary>The prediction for one of the prompts, [B, C, h, w], float32.</summary>
    private Tensor Predict(Tensor latents, Tensor timesteps, TextConditions text, int prompt)
    {
        using var scope = NewDisposeScope();
        Tensor Each(Tensor of) => of.narrow(0L, prompt, 1).expand([_options.BatchSize, .. of.shape[1..]]);
        var conditions = new UNetConditions(Each(text.Context));
        if (_network.TakesAddedConditions)
        {
            var sizes = MicroConditioning.TimeIds(
                Enumerable.Repeat(MicroConditioning.Whole(_options.Resolution), _options.BatchSize), latents.device);
            conditions = conditions with { Added = new AddedConditions(Each(text.Pooled!), sizes) };
        }

        return _network.Predict(latents, timesteps, conditions).to(ScalarType.Float32).alias().MoveToOuterDisposeScope();
    }

    private int Draw(int count)
    {
        using var scope = NewDisposeScope();
        return (int)randint(0, count, [1], dtype: ScalarType.Int64, generator: _random).item<long>();
    }

    /// <summary>[B, 4, h, w], float32; drawn in host memory, so that every device sees the same.</summary>
    private Tensor Noise(double scale, Device device)
    {
        using var scope = NewDisposeScope();
        var channels = _setup.Model.UNet.Options.OutChannels;
        long[] shape = [_options.BatchSize, channels, _options.Resolution.Height / TextToImageOptions.SizeMultiple,
            _options.Resolution.Width / TextToImageOptions.SizeMultiple];
        return (randn(shape, dtype: ScalarType.Float32, generator: _random) * scale).to(device).MoveToOuterDisposeScope();
    }
}

/// <summary>A sampler's walk that ends after some of its steps, with what the model would be asked next.</summary>
internal sealed class PartOfAWay(int steps)
{
    private int _done;
    private Tensor? _latents;

    /// <summary>What the model is asked after the steps: [B, C, h, w], scaled as in training.</summary>
    public Tensor Latents => _latents ?? throw new InvalidOperationException("The sampler asked the model less often than it has steps.");

    /// <summary>The time that it is asked for; rounded, as some samplers ask between whole numbers.</summary>
    public double Time { get; private set; }

    /// <summary>Walks; <see cref="Latents"/> are of the open scope.</summary>
    public void Walk(ISampler sampler, Denoiser denoiser, Tensor noise, SamplingTimes times, SamplingContext context)
    {
        using var scope = NewDisposeScope();
        using var end = new CancellationTokenSource();
        try
        {
            sampler.Sample(Ask, noise, times, context with { StepDone = _ => _done++, CancellationToken = end.Token });
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The end that was wanted; a walk looks at its token between steps only.
        }

        _latents?.MoveToOuterDisposeScope();

        Tensor Ask(Tensor input, double time)
        {
            if (_done < steps) return denoiser(input, time);
            if (_latents is null)
            {
                (_latents, Time) = (input.clone().DetachFromDisposeScope(), Math.Round(time));
                scope.Attach(_latents);
                end.Cancel();
            }

            return zeros_like(input);
        }
    }
}
