using StableTune.Formats;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>A ControlNet in a run: shows it the second image of each sample, and hands its residuals to the UNet.</summary>
public sealed class ControlNetTrainable : ITrainable, IConditionStage, ISampleStage
{
    private readonly ControlNetOptions _options;
    private readonly TrainingPlan _plan;
    private ControlNetModel? _network;
    private double _multiplier = 1;

    internal ControlNetTrainable(ControlNetOptions options, TrainingPlan plan) => (_options, _plan) = (options, plan);

    /// <inheritdoc/>
    public string Name => "trainables/" + _options.EffectiveName;

    /// <inheritdoc/>
    public bool TensorsLastUntilUpdate => true;

    /// <summary>The ControlNet, once attached.</summary>
    /// <exception cref="InvalidOperationException">Not attached yet.</exception>
    public ControlNetModel Network =>
        _network ?? throw new InvalidOperationException($"{_options.EffectiveName} is not attached to a model yet.");

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups => !_options.Trained ? [] :
    [
        new ParameterGroup(_options.EffectiveName,
            [.. Network.named_parameters().Select(entry => new NamedParameter($"{_options.EffectiveName}.{entry.name}", entry.parameter))],
            _options.Rate ?? _plan.LearningRate),
    ];

    /// <inheritdoc/>
    public IEnumerable<string> Warnings
    {
        get
        {
            if (_options.Trained && !_plan.Dataset.Subsets.IsEmpty
                && _plan.Dataset.Subsets.All(subset => subset.Options.Captions is { DropoutRate: 0, DropoutEveryNEpochs: 0 }))
                yield return "CaptionOptions.DropoutRate is 0: a ControlNet learns more from its picture when a share of the captions is "
                    + "left out. 0.5 is what its authors took.";
            var without = _plan.Samples?.Prompts.Count(prompt => prompt.ControlImage is null) ?? 0;
            if (without > 0)
                yield return $"TextToImageOptions.ControlImage is not set for {without} sample(s): {_options.EffectiveName} does not act "
                    + "in them.";
        }
    }

    /// <inheritdoc/>
    public void Attach(TrainingSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var (unet, precision) = (setup.Model.UNet, setup.Precision);
        var type = _options.Trained ? precision.Trainable : precision.Weights;
        _network = _options.InitialWeights is { } path
            ? ControlNetLoader.Load(path, new ControlNetLoadOptions
            {
                UNet = unet, WeightType = type, GlobalPoolConditions = _options.GlobalPool, CheckNumbers = _plan.Model.CheckNumbers,
            })
            : ControlNetModel.FromUNet(unet, setup.Random.Initialization, Architecture(unet.Options), type);
        _network.SetRequiresGrad(_options.Trained);
        _network.train(_options.Trained);
        (_network.GradientCheckpointing, _network.ComputeType) = (_plan.GradientCheckpointing, precision.Compute);
        _network.Attention = _plan.Memory.Attention;
        setup.Stages.Conditions.Add(this);
        setup.Stages.Samples.Add(this);
    }

    private ControlNetModelOptions Architecture(UNetOptions unet) => new()
    {
        UNet = unet, ConditioningEmbeddingChannels = _options.PictureChannels, GlobalPoolConditions = _options.GlobalPool ?? false,
    };

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The batch has no second images.</exception>
    public UNetConditions Add(StepPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        var second = pass.Batch.Conditioning ?? throw new InvalidOperationException(
            $"'{pass.Batch.Items.FirstOrDefault()?.Path}' has no second image, which a ControlNet looks at: " +
            "set SubsetOptions.ConditioningFolder.");
        // Kept with the conditions: an activation that is computed again in the backward pass needs it too.
        return With(pass.Conditions, second.to(pass.Latents.device).alias(), _options.Trained ? 1 : _options.Scale);
    }

    /// <inheritdoc/>
    public UNetConditions Add(SamplePass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return pass.Prompt.ControlImage is { } image
            ? With(pass.Conditions, ControlPicture.Of(image, pass.Conditions.Context.device), _options.Scale) : pass.Conditions;
    }

    private UNetConditions With(UNetConditions conditions, Tensor picture, double scale) => conditions with
    {
        Controls =
        [
            .. conditions.Controls,
            new Control(this, _options.Range == ControlPictureRange.MinusOneToOne ? picture * 2 - 1 : picture, scale),
        ],
    };

    /// <summary>Acts as strongly as the trainable does when the network predicts, which may be more than once for a batch.</summary>
    private sealed class Control(ControlNetTrainable owner, Tensor picture, double scale) : IUNetControl
    {
        public UNetResiduals? Residuals(Tensor latents, Tensor timesteps, UNetConditions conditions) =>
            new ControlNetCondition(owner.Network, picture, scale * owner._multiplier).Residuals(latents, timesteps, conditions);
    }

    /// <inheritdoc/>
    public void SetTraining(bool training)
    {
        if (_options.Trained) Network.train(training);
    }

    /// <inheritdoc/>
    public void SetMultiplier(double multiplier)
    {
        if (_options.Trained) _multiplier = multiplier;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Save(SaveRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        // Whether a result may be replaced was asked when the plan was checked.
        return ControlNetSaver.Save(Network, request.Path, request.EffectiveType, overwrite: true);
    }

    /// <inheritdoc/>
    public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
    {
        ArgumentNullException.ThrowIfNull(request);
        return ControlNetSaver.Prepare(Network, request.Path, request.EffectiveType, overwrite: true, copies);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (!_options.Trained) return;
        foreach (var (name, parameter) in Network.named_parameters()) writer.Tensor(name, parameter);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (!_options.Trained) return;
        foreach (var (name, parameter) in Network.named_parameters()) reader.CopyTo(name, parameter);
    }

    /// <inheritdoc/>
    public void Dispose() => _network?.Dispose();
}
