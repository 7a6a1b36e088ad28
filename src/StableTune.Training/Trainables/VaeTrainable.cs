using StableTune.Formats;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>
    /// Trains the VAE's weights, with <see cref="VaeReconstructionOptions"/>. The decoder alone by default: latents then mean what they
    /// meant, so that the result goes with every model of the family.
    /// </summary>
    public sealed record VaeTrainableOptions : TrainableOptions
    {
        /// <summary>Whether the encoder is trained too: latents then change their meaning, and a UNet that was trained on the old ones does
        /// not understand them. Default false.</summary>
        public bool TrainEncoder { get; init; }

        /// <summary>The learning rate; null for the run's. 1e-6 to 1e-5 is customary for a VAE that works already.</summary>
        public double? Rate { get; init; }

        /// <summary>Whether the whole model is saved, in the form that the path names; false, the default, saves the VAE alone: a single
        /// file for web interfaces, or a folder with <c>config.json</c>.</summary>
        public bool SaveWholeModel { get; init; }

        /// <inheritdoc/>
        public override string DefaultName => "vae";

        /// <inheritdoc/>
        public override ModelParts ActsThrough => ModelParts.Vae;

        /// <inheritdoc/>
        public override ModelParts KeptParts => SaveWholeModel ? ModelParts.All : ModelParts.Vae;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (!Trained)
                yield return Problem(Trained, "a VAE that is not trained is the model's own", "leave it out, or use WithVae(path)");
            if (Rate is { } rate && !(rate > 0 && double.IsFinite(rate)))
                yield return Problem(Rate, "the learning rate must be positive", "1e-6 to 1e-5 is customary");
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            ArgumentNullException.ThrowIfNull(plan);
            if (!plan.Method.Needs.HasFlag(MethodNeeds.Vae))
                yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.Method)}", plan.Method.GetType().Name,
                    "this method does not run the VAE in its steps, so the VAE would learn nothing",
                    "call WithMethod(new VaeReconstructionOptions()), or WithVaeTraining()");
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new VaeTrainable(this, plan);
    }

    /// <summary>The VAE's own weights, held in the type of <see cref="PrecisionPolicy.Trainable"/> and cast where they are used.</summary>
    internal sealed class VaeTrainable(VaeTrainableOptions options, TrainingPlan plan) : ITrainable
    {
        private static readonly string[] DecoderParts = ["decoder.", "post_quant_conv."];

        private StableDiffusionModel? _model;
        private Action? _restore;

        public string Name => "trainables/" + options.EffectiveName;

        public bool TensorsLastUntilUpdate => true;

        public bool CanBeLeftOut => false;

        public IReadOnlyList<ParameterGroup> Groups =>
            [new ParameterGroup(options.EffectiveName, [.. Parameters()], options.Rate ?? plan.LearningRate)];

        private StableDiffusionModel Model => _model
            ?? throw new InvalidOperationException($"{options.EffectiveName} is not attached to a model yet.");

        public void Attach(TrainingSetup setup)
        {
            ArgumentNullException.ThrowIfNull(setup);
            _model = setup.Model;
            var vae = _model.Vae;
            var (checkpointing, type) = (vae.GradientCheckpointing, vae.ComputeType);
            _restore = () => (vae.GradientCheckpointing, vae.ComputeType) = (checkpointing, type);
            (vae.GradientCheckpointing, vae.ComputeType) = (plan.GradientCheckpointing, setup.Precision.Compute);
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            foreach (var (_, parameter) in vae.named_parameters().Where(entry => IsTrained(entry.name)))
            {
                // Memory of its own, so that nothing reaches the file that the weights may be views of.
                var trainable = setup.Precision.Trainable;
                parameter.SetData(parameter.dtype == trainable ? parameter.detach().clone() : parameter.to(trainable));
                parameter.requires_grad = true;
            }
        }

        public IReadOnlyList<string> Save(SaveRequest request)
        {
            ArgumentNullException.ThrowIfNull(request);
            var how = ModelTrainableOptions.SavingFor(request);
            return (options.SaveWholeModel ? ModelSaver.Save(Model, request.Path, how) : VaeSaver.Save(Model.Vae, request.Path, how)).Files;
        }

        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
        {
            ArgumentNullException.ThrowIfNull(request);
            var how = ModelTrainableOptions.SavingFor(request);
            var write = options.SaveWholeModel ? ModelSaver.Prepare(Model, request.Path, how, copies)
                : VaeSaver.Prepare(Model.Vae, request.Path, how, copies);
            return write is null ? null : () => write().Files;
        }

        public void Save(StateWriter writer)
        {
            ArgumentNullException.ThrowIfNull(writer);
            foreach (var (name, parameter) in Parameters()) writer.Tensor(name, parameter);
        }

        public void Load(StateReader reader)
        {
            ArgumentNullException.ThrowIfNull(reader);
            foreach (var (name, parameter) in Parameters()) reader.CopyTo(name, parameter);
        }

        /// <summary>The model is the run's.</summary>
        public void Dispose()
        {
            if (_model is null || !_model.Parts.HasFlag(ModelParts.Vae)) return;
            _model.Vae.SetRequiresGrad(false);
            _restore?.Invoke();
        }

        private bool IsTrained(string name) =>
            options.TrainEncoder || DecoderParts.Any(part => name.StartsWith(part, StringComparison.Ordinal));

        private IEnumerable<NamedParameter> Parameters() =>
            from entry in Model.Vae.named_parameters()
            where IsTrained(entry.name)
            select new NamedParameter($"{options.EffectiveName}.{entry.name}", entry.parameter);
    }
}

namespace StableTune
{
    /// <summary>Trains a VAE on any builder that has a place for trainables.</summary>
    public static class VaeTrainableExtensions
    {
        /// <summary>Trains the VAE's weights. The run's method must run the VAE: <see cref="VaeReconstructionOptions"/>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="trainEncoder">Whether the encoder is trained too.</param>
        public static TBuilder WithVaeWeights<TBuilder>(this TBuilder builder, bool trainEncoder = false)
            where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(new VaeTrainableOptions { TrainEncoder = trainEncoder });
    }
}
