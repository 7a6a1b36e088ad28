using StableTune.Formats;
using StableTune.Models;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>
    /// Trains a hypernetwork: small networks before the keys and values of the UNet's attentions, shared by all layers of a width
    /// (AUTOMATIC1111's web UI).
    /// </summary>
    public sealed record HypernetworkTrainableOptions : TrainableOptions
    {
        /// <summary>Structure and widths.</summary>
        public HypernetworkOptions Hypernetwork { get; init; } = new();

        /// <summary>
        /// A <c>.pt</c> file that the hypernetwork begins with, structure and widths included; null, the default, for none.
        /// </summary>
        public string? InitialWeights { get; init; }

        /// <summary>The learning rate; null for the UNet's, or the run's. 1e-5 to 5e-5 is customary.</summary>
        public double? Rate { get; init; }

        /// <inheritdoc/>
        public override string DefaultName => "hypernetwork";

        /// <inheritdoc/>
        public override ModelParts ActsThrough => ModelParts.UNet;

        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => [".pt"];

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            foreach (var problem in Hypernetwork.Validate()) yield return problem;
            if (InitialWeights is { } path && !File.Exists(path))
                yield return Problem(InitialWeights, "there is no such file", "name a hypernetwork's .pt file, or leave it unset");
            if (!Trained && InitialWeights is null)
                yield return Problem(InitialWeights, "a hypernetwork that is not trained changes nothing without weights",
                    "name its file, or train it");
            if (Rate is { } rate && !(rate > 0 && double.IsFinite(rate)))
                yield return Problem(Rate, "the learning rate must be positive", "1e-5 is customary");
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new HypernetworkTrainable(this, plan);
    }

    /// <summary>A hypernetwork on a frozen model.</summary>
    internal sealed class HypernetworkTrainable(HypernetworkTrainableOptions options, TrainingPlan plan) : ITrainable
    {
        private Hypernetwork? _network;

        public string Name => "trainables/" + options.EffectiveName;

        public bool TensorsLastUntilUpdate => true;

        public IReadOnlyList<ParameterGroup> Groups => !options.Trained ? [] :
            [new ParameterGroup(options.EffectiveName, Parameters, options.Rate ?? plan.UNetLearningRate ?? plan.LearningRate)];

        private NamedParameter[] Parameters =>
            [.. Network.NamedParameters().Select(entry => new NamedParameter($"{options.EffectiveName}.{entry.Name}", entry.Parameter))];

        private Hypernetwork Network => _network
            ?? throw new InvalidOperationException($"{options.EffectiveName} is not attached to a model yet.");

        public void Attach(TrainingSetup setup)
        {
            ArgumentNullException.ThrowIfNull(setup);
            var hosts = ModelHosts.Of(setup.Model, AdapterParts.UNet);
            _network = options.InitialWeights is { } path ? Hypernetwork.FromFile(path, hosts)
                : Hypernetwork.Attach(hosts, options.Hypernetwork, setup.Random.Initialization);
            if (options.Trained) return;
            foreach (var (_, parameter) in _network.NamedParameters()) parameter.requires_grad = false;
        }

        public void AfterStep(StepMoment moment)
        {
            if (options.Trained) Network.Step++;
        }

        public void SetMultiplier(double multiplier)
        {
            if (options.Trained) Network.Multiplier = (float)multiplier;
        }

        public IReadOnlyList<string> Save(SaveRequest request)
        {
            ArgumentNullException.ThrowIfNull(request);
            Network.Save(request.Path);
            return [request.Path];
        }

        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
        {
            ArgumentNullException.ThrowIfNull(request);
            return request.Written(Network.PrepareSave(request.Path, copies));
        }

        public void Save(StateWriter writer)
        {
            ArgumentNullException.ThrowIfNull(writer);
            writer.Number("step", Network.Step);
            foreach (var (name, parameter) in Network.NamedParameters()) writer.Tensor(name, parameter);
        }

        public void Load(StateReader reader)
        {
            ArgumentNullException.ThrowIfNull(reader);
            Network.Step = reader.Long("step");
            foreach (var (name, parameter) in Network.NamedParameters()) reader.CopyTo(name, parameter);
        }

        public void Dispose() => _network?.Dispose();
    }
}

namespace StableTune
{
    /// <summary>Trains a hypernetwork on any builder that has a place for trainables.</summary>
    public static class HypernetworkExtensions
    {
        /// <summary>Trains a hypernetwork.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="options">Structure and widths; null for the defaults.</param>
        public static TBuilder WithHypernetwork<TBuilder>(this TBuilder builder, HypernetworkOptions? options = null)
            where TBuilder : ITrainableSocket<TBuilder> =>
            builder.WithTrainable(new HypernetworkTrainableOptions { Hypernetwork = options ?? new HypernetworkOptions() });
    }
}
