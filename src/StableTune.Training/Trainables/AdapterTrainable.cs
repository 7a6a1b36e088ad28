using StableTune.Adapters;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Tensors;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>How adapters are trained: rates of the parts, initial weights. What they compute is said by
    /// <see cref="Adapter"/>.</summary>
    public sealed record AdapterTrainableOptions : TrainableOptions
    {
        /// <summary>The kind of adapter: rank, alpha, parts, layers ...</summary>
        public required AdapterOptions Adapter { get; init; }

        /// <summary>The learning rate of the UNet's adapters; null for the run's. With 0 the UNet gets none.</summary>
        public double? UNetRate { get; init; }

        /// <summary>The learning rate of the text encoder's adapters; null for the run's. With 0 the text encoder gets none.</summary>
        public double? TextEncoderRate { get; init; }

        /// <summary>The learning rate of the adapters of SDXL's second text encoder; null for that of the first. With 0 it gets
        /// none.</summary>
        public double? SecondTextEncoderRate { get; init; }

        /// <summary>
        /// A file whose weights the adapters begin with (sd-scripts: <c>network_weights</c>); null, the default, for fresh ones. Of
        /// weights that do not fit none are taken, and
        /// an adapter that is only applied (<see cref="TrainableOptions.Trained"/> is false) takes kind, ranks and alphas from the file
        /// too.
        /// </summary>
        public string? InitialWeights { get; init; }

        /// <summary>How strongly adapters that are not trained act. Default 1.</summary>
        public float Multiplier { get; init; } = 1f;

        /// <inheritdoc/>
        public override string DefaultName => Adapter.GetType().Name.Replace("Options", "", StringComparison.Ordinal).ToLowerInvariant();

        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => AdapterFiles.Extensions;

        /// <inheritdoc/>
        public override bool TrainsTextEncoder(TrainingPlan plan) => Trained && (TrainedParts(plan) & AdapterParts.TextEncoder) != 0;

        /// <inheritdoc/>
        public override bool ChangesTextEncoder(TrainingPlan plan) => (TrainedParts(plan) & AdapterParts.TextEncoder) != 0;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            foreach (var problem in Adapter.Validate()) yield return problem;
            if (UNetRate is { } unet && !IsRate(unet)) yield return Problem(UNetRate, Rule, "1e-4 is customary; 0 leaves the UNet out");
            if (TextEncoderRate is { } text && !IsRate(text))
                yield return Problem(TextEncoderRate, Rule, "5e-5 is customary; 0 leaves the text encoder out");
            if (SecondTextEncoderRate is { } second && !IsRate(second))
                yield return Problem(SecondTextEncoderRate, Rule, "5e-5 is customary; 0 leaves the second text encoder out");
            if (!Trained && InitialWeights is null)
                yield return Problem(InitialWeights, "adapters that are not trained change nothing without weights",
                    "name their file, or train them");
            if (InitialWeights is { } path && !File.Exists(path))
                yield return Problem(InitialWeights, "there is no such file", "name an adapter file, or leave it unset");
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            if (Trained && (Adapter.Parts & plan.Parts) != AdapterParts.None && TrainedParts(plan) == AdapterParts.None)
                yield return Problem(TrainedParts(plan), "every part has a learning rate of 0, so nothing would be trained",
                    "set a learning rate, or choose other parts", "TrainedParts");
            if (plan.GivenModel is { } given)
                foreach (var problem in LayerProblems(plan, given)) yield return problem;
        }

        /// <summary>A selection that leaves no layer of the model, told before anything is loaded.</summary>
        private IReadOnlyList<OptionProblem> LayerProblems(TrainingPlan plan, StableDiffusionModel model)
        {
            var parts = TrainedParts(plan);
            if (!Trained || parts == AdapterParts.None || Adapter.Validate().Any()) return [];
            try
            {
                AdapterNetwork.Layers(ModelHosts.Of(model, parts), Adapter with { Parts = parts });
                return [];
            }
            catch (InvalidOptionsException e)
            {
                return e.Problems;
            }
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, Checkpoints.ModelConfiguration model)
        {
            using (var shapes = model.WithoutWeights())
                foreach (var problem in LayerProblems(plan, shapes)) yield return problem;
            if (model.Details.Version == ModelVersion.Sdxl) yield break;
            const string rule = "only SDXL has a second text encoder", remedy = "leave it unset";
            if (SecondTextEncoderRate > 0) yield return Problem(SecondTextEncoderRate, rule, remedy);
            else if (SecondTextEncoderRate is null && plan.SecondTextEncoderLearningRate is > 0 and var rate)
                yield return new OptionProblem(
                    $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.SecondTextEncoderLearningRate)}", rate, rule, remedy);
        }

        /// <summary>The parts that are left when those with a learning rate of 0 are taken away. What is only applied acts wherever its
        /// file says, whatever the run trains.</summary>
        internal AdapterParts TrainedParts(TrainingPlan plan)
        {
            if (!Trained) return Adapter.Parts;
            var parts = Adapter.Parts & plan.Parts;
            if (RateOf(plan, AdapterParts.UNet) == 0) parts &= ~AdapterParts.UNet;
            if (RateOf(plan, AdapterParts.TextEncoder1) == 0) parts &= ~AdapterParts.TextEncoder1;
            if (RateOf(plan, AdapterParts.TextEncoder2) == 0) parts &= ~AdapterParts.TextEncoder2;
            return parts;
        }

        /// <summary>The learning rate of a part.</summary>
        internal double RateOf(TrainingPlan plan, AdapterParts part)
        {
            var text = TextEncoderRate ?? plan.TextEncoderLearningRate;
            return part switch
            {
                AdapterParts.UNet => UNetRate ?? plan.UNetLearningRate,
                AdapterParts.TextEncoder2 => SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate ?? text,
                _ => text,
            } ?? plan.LearningRate;
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new AdapterTrainable(this, plan);

        private const string Rule = "a learning rate must not be negative, and finite";

        private static bool IsRate(double rate) => rate >= 0 && double.IsFinite(rate);
    }

    /// <summary>Adapters of one kind on a frozen model.</summary>
    public sealed class AdapterTrainable : ITrainable
    {
        private readonly AdapterTrainableOptions _options;
        private readonly TrainingPlan _plan;
        private AdapterNetwork? _network;

        internal AdapterTrainable(AdapterTrainableOptions options, TrainingPlan plan) => (_options, _plan) = (options, plan);

        /// <inheritdoc/>
        public string Name => "trainables/" + _options.EffectiveName;

        /// <summary>How they are trained.</summary>
        public AdapterTrainableOptions Options => _options;

        /// <summary>The adapters, once attached.</summary>
        /// <exception cref="InvalidOperationException">Not attached yet.</exception>
        public AdapterNetwork Network =>
            _network ?? throw new InvalidOperationException($"{_options.EffectiveName} is not attached to a model yet.");

        /// <inheritdoc/>
        public IReadOnlyList<ParameterGroup> Groups =>
            !_options.Trained ? [] : [.. TextEncoderGroups(), .. Group("unet", AdapterParts.UNet)];

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
            // A part that is not trained may have been released.
            var parts = _options.TrainedParts(_plan);
            var hosts = ModelHosts.Of(setup.Model, parts);
            if (!_options.Trained)
            {
                _network = AdapterNetwork.FromFile(_options.InitialWeights!, hosts, _options.Multiplier);
                _network.SetTraining(false);
                foreach (var (_, parameter, _) in _network.NamedParameters()) parameter.requires_grad = false;
                return;
            }

            _network = AdapterNetwork.Attach(hosts, _options.Adapter with { Parts = parts }, setup.Random.Initialization);
            if (_options.InitialWeights is { } path) _network.LoadWeights(path).ThrowIfIncomplete();
        }

        /// <inheritdoc/>
        public void BeforeBatch(BatchMoment moment) => Network.BeginStep(moment.Random.Dropout);

        /// <inheritdoc/>
        public void SetTraining(bool training)
        {
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
            var metadata = RunMetadata.Describe(request, _options);
            Network.Save(request.Path, request.WriteMetadata ? metadata.Full : metadata.Minimum, request.EffectiveType);
            return [request.Path];
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
        public void Dispose() => _network?.Dispose();

        /// <summary>One group for all text encoders, or one for each where SDXL's second has a rate of its own.</summary>
        private IEnumerable<ParameterGroup> TextEncoderGroups() =>
            (_options.SecondTextEncoderRate ?? _plan.SecondTextEncoderLearningRate) is null
            ? Group("textencoder", AdapterParts.TextEncoder)
            : [.. Group("textencoder 1", AdapterParts.TextEncoder1), .. Group("textencoder 2", AdapterParts.TextEncoder2)];

        private IEnumerable<ParameterGroup> Group(string name, AdapterParts part)
        {
            // Of two trainables the names must differ.
            var prefix = _options.Name is { } own ? own + "." : "";
            NamedParameter[] parameters = [.. from entry in Network.NamedParameters(part) select new NamedParameter(
                prefix + entry.Name, entry.Parameter)];
            var rate = _options.RateOf(_plan,
                part == AdapterParts.TextEncoder2 ? part : part == AdapterParts.UNet ? part : AdapterParts.TextEncoder1);
            if (parameters.Length > 0)
                yield return new ParameterGroup(_options.Name is { } owner ? $"{owner} {name}" : name, parameters, rate);
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
