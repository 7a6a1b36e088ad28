using StableTune.Formats;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>Adapters of one kind on a frozen model.</summary>
    public sealed class AdapterTrainable : ITrainable
    {
        private readonly AdapterTrainableOptions _options;
        private readonly TrainingPlan _plan;
        private AdapterNetwork? _network;
        private IReadOnlyList<ParameterGroup>? _groups;
        private NormReport? _norms;
        private AdapterOptions? _kind;
        private AdapterControl? _control;
        private bool _isSdxl;

        internal AdapterTrainable(AdapterTrainableOptions options, TrainingPlan plan) => (_options, _plan) = (options, plan);

        /// <inheritdoc/>
        public string Name => "trainables/" + _options.EffectiveName;

        /// <inheritdoc/>
        public bool TensorsLastUntilUpdate => true;

        /// <summary>How they are trained.</summary>
        public AdapterTrainableOptions Options => _options;

        /// <summary>The adapters, once attached.</summary>
        /// <exception cref="InvalidOperationException">Not attached yet.</exception>
        public AdapterNetwork Network =>
            _network ?? throw new InvalidOperationException($"{_options.EffectiveName} is not attached to a model yet.");

        /// <inheritdoc/>
        public IReadOnlyList<ParameterGroup> Groups =>
            !_options.Trained ? [] : _groups ??= AdapterGroups.Of(_options, _plan, Network, _isSdxl);

        /// <inheritdoc/>
        public IEnumerable<string> Warnings =>
        [
            .. _options.Trained ? _options.Adapter.Warnings([.. Network.Adapters.Select(entry => entry.Layer)]) : [],
            .. _network?.LoadedFrom?.Notes ?? [],
        ];

        /// <inheritdoc/>
        public void Attach(TrainingSetup setup)
        {
            ArgumentNullException.ThrowIfNull(setup);
            _isSdxl = setup.Model.Version == ModelVersion.Sdxl;
            // A part that is not trained may have been released.
            var hosts = ModelHosts.Of(setup.Model, _options.TrainedParts(_plan));
            _network = !_options.Trained ? Frozen(hosts) : _options.RanksFromWeights ? OfFile(hosts)
                : AdapterNetwork.Attach(hosts, _options.EffectiveAdapter(_plan, _isSdxl), setup.Random.Initialization);
            if (_options is { Trained: true, RanksFromWeights: false, InitialWeights: { } path })
                _network.LoadWeights(path).ThrowIfIncomplete();
            if (!_network.Adapters.Any(adapter => adapter.UsesControl)) return;
            _control = new AdapterControl(_network, setup.Model.Device);
            setup.Stages.Conditions.Add(_control);
            setup.Stages.Samples.Add(_control);
        }

        private AdapterNetwork Frozen(AdapterHosts hosts)
        {
            var network = AdapterNetwork.FromFile(_options.InitialWeights!, hosts, _options.Multiplier);
            network.SetTraining(false);
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.requires_grad = false;
            return network;
        }

        private AdapterNetwork OfFile(AdapterHosts hosts)
        {
            var found = new List<AdapterOptions>();
            var network = AdapterNetwork.FromFile(_options.InitialWeights!, hosts, change: options =>
            {
                found.Add(options.WithTrainingOf(_options.Adapter));
                return found[^1];
            });
            _kind = found.CountBy(options => options).MaxBy(count => count.Value).Key;
            return network;
        }

        /// <inheritdoc/>
        public void BeforeBatch(BatchMoment moment) => Network.BeginStep(moment.Random.Dropout, moment.Batch.Share);

        /// <inheritdoc/>
        public void AfterStep(StepMoment moment)
        {
            if (_options is { Trained: true, MaxNorm: { } limit }) _norms = Network.LimitNorms(limit);
        }

        /// <inheritdoc/>
        public IReadOnlyDictionary<string, double> Metrics => _norms is not { } norms ? new Dictionary<string, double>()
            : new Dictionary<string, double>
            {
                ["max_norm/keys_scaled"] = norms.Scaled, ["max_norm/average_key_norm"] = norms.Mean,
                ["max_norm/max_key_norm"] = norms.Largest,
            };

        /// <inheritdoc/>
        public void SetTraining(bool training)
        {
            // What is drawn between steps has no second image; a measured batch gives its own.
            if (!training) _control?.Forget();
            if (_options.Trained) Network.SetTraining(training);
        }

        /// <inheritdoc/>
        public void SetMultiplier(double multiplier)
        {
            if (_options.Trained) Network.SetMultiplier((float)multiplier);
        }

        /// <inheritdoc/>
        public IReadOnlyList<string> Save(SaveRequest request)
        {
            ArgumentNullException.ThrowIfNull(request);
            var metadata = RunMetadata.Describe(request, _options, Describe());
            Network.Save(request.Path, request.WriteMetadata ? metadata.Full : metadata.Minimum, request.EffectiveType);
            return [request.Path];
        }

        /// <inheritdoc/>
        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
        {
            ArgumentNullException.ThrowIfNull(request);
            // Metadata may wait for the hash of the model's file: not in the step.
            return request.Written(Network.PrepareSave(request.Path, () =>
            {
                var metadata = RunMetadata.Describe(request, _options, Describe());
                return request.WriteMetadata ? metadata.Full : metadata.Minimum;
            }, request.EffectiveType, copies));
        }

        /// <inheritdoc/>
        public void Save(StateWriter writer)
        {
            ArgumentNullException.ThrowIfNull(writer);
            foreach (var (name, tensor) in Network.NamedTensors()) writer.Tensor(name, tensor);
        }

        /// <inheritdoc/>
        public void Load(StateReader reader)
        {
            ArgumentNullException.ThrowIfNull(reader);
            foreach (var (name, tensor) in Network.NamedTensors()) reader.CopyTo(name, tensor);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _network?.Dispose();
            _control?.Dispose();
        }

        /// <summary>
        /// What files say of the network: the kind (that of most layers, where a file has said it), and how it was trained.
        /// </summary>
        private AdapterDescription Describe()
        {
            var description = (_kind ?? _options.Adapter).Describe();
            return description with
            {
                ScaleWeightNorms = _options.MaxNorm,
                Arguments = new OrderedDictionary<string, object?>([.. description.Arguments, .. _options.RateArguments()]),
            };
        }
    }
}

namespace StableTune
{
    /// <summary>Trains adapters, or applies them frozen, on any builder that has a place for trainables.</summary>
    public static class AdapterTrainableExtensions
    {
        /// <summary>Applies the adapters of a file without training them.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="path">An adapter file; its kind, ranks and alphas come from it.</param>
        /// <param name="multiplier">How strongly they act.</param>
        /// <param name="name">What they are called in messages; null for the file's name.</param>
        public static TBuilder WithFrozenAdapter<TBuilder>(this TBuilder builder, string path, float multiplier = 1f, string? name = null)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(new AdapterTrainableOptions
            {
                Adapter = new LoRAOptions(), Trained = false, InitialWeights = path, Multiplier = multiplier, Name = name
                    ?? Path.GetFileNameWithoutExtension(path),
            });
    }
}
