using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>Trains the model's own weights: the UNet, the text encoders, or both. Saved as a whole model, in the form that the path
    /// names.</summary>
    public sealed record ModelTrainableOptions : TrainableOptions
    {
        /// <summary>The parts that are trained: <see cref="ModelParts.UNet"/>, <see cref="ModelParts.TextEncoder"/>, or both. Default the
        /// UNet.</summary>
        public ModelParts Parts { get; init; } = ModelParts.UNet;

        /// <summary>The UNet's learning rate; null for the run's. 0 leaves it as it is.</summary>
        public double? UNetRate { get; init; }

        /// <summary>The text encoders' learning rate; null for the run's. 0 leaves them as they are.</summary>
        public double? TextEncoderRate { get; init; }

        /// <inheritdoc/>
        public override string DefaultName => "model";

        /// <inheritdoc/>
        public override ModelParts KeptParts => ModelParts.All;

        /// <inheritdoc/>
        public override bool TrainsTextEncoder(TrainingPlan plan) => Trained && TrainedParts(plan).HasFlag(ModelParts.TextEncoder);

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Parts == ModelParts.None || (Parts & ~(ModelParts.UNet | ModelParts.TextEncoder)) != 0)
                yield return Problem(Parts, "the UNet and the text encoders can be trained",
                    "choose ModelParts.UNet, ModelParts.TextEncoder, or both");
            if (!Trained) yield return Problem(Trained, "a model that is not trained is the base model itself", "leave it out");
            foreach (var (name, rate) in new[] { (nameof(UNetRate), UNetRate), (nameof(TextEncoderRate), TextEncoderRate) })
                if (rate is { } given && !(given >= 0 && double.IsFinite(given)))
                    yield return Problem(given, "a learning rate must not be negative, and finite",
                        "1e-6 to 1e-5 is customary for whole models", name);
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            if (TrainedParts(plan) == ModelParts.None)
                yield return Problem(Parts, "every part has a learning rate of 0, so nothing would be trained",
                    "set a learning rate, or choose other parts");
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new ModelTrainable(this, plan);

        internal double RateOf(TrainingPlan plan, ModelParts part) =>
            (part == ModelParts.UNet ? UNetRate ?? plan.UNetLearningRate : TextEncoderRate ?? plan.TextEncoderLearningRate)
                ?? plan.LearningRate;

        /// <summary>The parts that are left when those with a learning rate of 0 are taken away.</summary>
        internal ModelParts TrainedParts(TrainingPlan plan)
        {
            var parts = Parts;
            foreach (var part in new[] { ModelParts.UNet, ModelParts.TextEncoder })
                if (RateOf(plan, part) == 0) parts &= ~part;
            return parts;
        }
    }

    /// <summary>
    /// The model's own weights, held in the type of <see cref="PrecisionPolicy.Trainable"/> and cast where they are used. Frozen parts
    /// stay in <see cref="PrecisionPolicy.Weights"/>.
    /// </summary>
    internal sealed class ModelTrainable(ModelTrainableOptions options, TrainingPlan plan) : ITrainable
    {
        private readonly List<(ModelParts Part, string Name, nn.Module Module)> _modules = [];
        private StableDiffusionModel? _model;

        public string Name => "trainables/" + options.EffectiveName;

        public bool CanBeLeftOut => false;

        public IReadOnlyList<ParameterGroup> Groups => [.. Group("unet", ModelParts.UNet), .. Group("textencoder", ModelParts.TextEncoder)];

        public void Attach(TrainingSetup setup)
        {
            _model = setup.Model;
            var parts = options.TrainedParts(plan);
            if (parts.HasFlag(ModelParts.TextEncoder))
            {
                _modules.Add((ModelParts.TextEncoder, "text_encoder", _model.TextEncoder));
                if (_model.HasTextEncoder2) _modules.Add((ModelParts.TextEncoder, "text_encoder_2", _model.TextEncoder2));
            }

            if (parts.HasFlag(ModelParts.UNet)) _modules.Add((ModelParts.UNet, "unet", _model.UNet));
            foreach (var (part, _, module) in _modules)
                Unfreeze(module, setup.Precision.Trainable,
                    name => !plan.UpBlocksOnly || part != ModelParts.UNet || name.StartsWith("up_blocks.", StringComparison.Ordinal));
        }

        /// <summary>Memory of its own, so that nothing reaches the file that the weights may be views of.</summary>
        private static void Unfreeze(nn.Module module, ScalarType type, Func<string, bool> isTrained)
        {
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            foreach (var (_, parameter) in module.named_parameters().Where(entry => isTrained(entry.name)))
            {
                parameter.SetData(parameter.dtype == type ? parameter.detach().clone() : parameter.to(type));
                parameter.requires_grad = true;
            }

            module.train();
        }

        public void SetTraining(bool training)
        {
            foreach (var (_, _, module) in _modules) module.train(training);
        }

        public IReadOnlyList<string> Save(SaveRequest request) => ModelSaver.Save(_model!, request.Path, new ModelSaveOptions
        {
            // Whether a result may be replaced was asked when the plan was checked.
            Precision = request.EffectiveType, WriteMetadata = request.WriteMetadata, Overwrite = true,
            Title = Path.GetFileNameWithoutExtension(request.FinalPath),
        }).Files;

        public void Save(StateWriter writer)
        {
            foreach (var (name, parameter) in Named(ModelParts.UNet).Concat(Named(ModelParts.TextEncoder))) writer.Tensor(name, parameter);
        }

        public void Load(StateReader reader)
        {
            foreach (var (name, parameter) in Named(ModelParts.UNet).Concat(Named(ModelParts.TextEncoder))) reader.CopyTo(name, parameter);
        }

        /// <summary>The model is the run's.</summary>
        public void Dispose()
        {
            foreach (var (_, _, module) in _modules)
            {
                module.SetRequiresGrad(false);
                module.eval();
            }

            _modules.Clear();
        }

        private IEnumerable<NamedParameter> Named(ModelParts part) =>
            from module in _modules
            where module.Part == part
            from parameter in module.Module.named_parameters()
            where parameter.parameter.requires_grad
            select new NamedParameter($"{module.Name}.{parameter.name}", parameter.parameter);

        private IEnumerable<ParameterGroup> Group(string name, ModelParts part)
        {
            NamedParameter[] parameters = [.. Named(part)];
            if (parameters.Length > 0) yield return new ParameterGroup(name, parameters, options.RateOf(plan, part));
        }
    }
}

namespace StableTune
{
    /// <summary>Trains whole models on any builder that has a place for trainables.</summary>
    public static class ModelTrainableExtensions
    {
        /// <summary>Trains the model's own weights.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="parts">The UNet, the text encoders, or both.</param>
        public static TBuilder WithFullTraining<TBuilder>(this TBuilder builder, ModelParts parts = ModelParts.UNet)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(new ModelTrainableOptions { Parts = parts });
    }
}
