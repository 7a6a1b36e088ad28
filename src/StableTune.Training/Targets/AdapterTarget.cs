using StableTune.Adapters;
using StableTune.Models;
using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>Trains adapters on a frozen model.</summary>
/// <param name="options">The kind of adapter, with the rates and parts of this run.</param>
/// <param name="learningRate">The rate of parts that have none of their own.</param>
public sealed class AdapterTarget(AdapterOptions options, double learningRate) : ITrainingTarget
{
    private AdapterNetwork? _network;

    /// <inheritdoc/>
    public string Name => options.GetType().Name.Replace("Options", "", StringComparison.Ordinal);

    /// <summary>The options.</summary>
    public AdapterOptions Options => options;

    /// <summary>The adapters, once attached.</summary>
    /// <exception cref="InvalidOperationException">Not attached yet.</exception>
    public AdapterNetwork Network => _network ?? throw new InvalidOperationException($"{Name} is not attached to a model yet.");

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups =>
    [
        .. TextEncoderGroups(),
        .. Group("unet", AdapterParts.UNet, options.UNetLearningRate),
    ];

    /// <inheritdoc/>
    public void Attach(StableDiffusionModel model, Generator random)
    {
        ArgumentNullException.ThrowIfNull(model);
        // A part that is not trained may have been released.
        var parts = options.TrainedParts;
        _network = AdapterNetwork.Attach(ModelHosts.Of(model, parts), options, random);
    }

    /// <inheritdoc/>
    public void BeginBatch(Generator random) => Network.BeginStep(random);

    /// <inheritdoc/>
    public void SetTraining(bool training) => Network.SetTraining(training);

    /// <inheritdoc/>
    public void SetMultiplier(double multiplier) => Network.SetMultiplier((float)multiplier);

    /// <inheritdoc/>
    public void Dispose() => _network?.Dispose();

    /// <summary>One group for all text encoders, or one for each where SDXL's second has a rate of its own.</summary>
    private IEnumerable<ParameterGroup> TextEncoderGroups()
    {
        if (options.SecondTextEncoderLearningRate is not { } rate) return Group("textencoder", AdapterParts.TextEncoder, options.TextEncoderLearningRate);
        bool IsSecond(string name) => name.StartsWith(options.KeyPrefix + "_te2_", StringComparison.Ordinal);
        return
        [
            .. Group("textencoder 1", AdapterParts.TextEncoder, options.TextEncoderLearningRate, name => !IsSecond(name)),
            .. Group("textencoder 2", AdapterParts.TextEncoder, rate, IsSecond),
        ];
    }

    private IEnumerable<ParameterGroup> Group(string name, AdapterParts part, double? rate, Func<string, bool>? filter = null)
    {
        NamedParameter[] parameters = [.. from p in Network.NamedParameters(part) where filter?.Invoke(p.Name) ?? true select new NamedParameter(p.Name, p.Parameter)];
        if (parameters.Length > 0) yield return new ParameterGroup(name, parameters, rate ?? learningRate);
    }
}
