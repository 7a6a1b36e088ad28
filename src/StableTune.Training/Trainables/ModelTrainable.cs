using StableTune.Formats;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>
    /// The model's own weights, held in the type of <see cref="PrecisionPolicy.Trainable"/> and cast where they are used. Frozen parts
    /// stay in <see cref="PrecisionPolicy.Weights"/>.
    /// </summary>
    internal sealed class ModelTrainable(ModelTrainableOptions options, TrainingPlan plan) : ITrainable
    {
        private const string StoppedEntry = "text_encoder_stopped";

        private List<TrainedTensor> _tensors = [];
        private StableDiffusionModel? _model;
        private bool _textStopped;

        public string Name => "trainables/" + options.EffectiveName;

        public bool TensorsLastUntilUpdate => true;

        public bool CanBeLeftOut => false;

        public IReadOnlyList<ParameterGroup> Groups =>
            [.. _tensors.GroupBy(tensor => (tensor.Group, tensor.Rate)).Select(group => new ParameterGroup(
                group.Key.Group, [.. group.Select(tensor => new NamedParameter(tensor.Name, tensor.Value))], group.Key.Rate))];

        public IEnumerable<string> Warnings =>
            plan.EffectiveLength is { IsInSteps: true, Count: var steps } && options.StopTextEncoderAt is { } last && last > steps
                ? [$"ModelTrainableOptions.StopTextEncoderAt is {last}: the run has {steps} steps, so the text encoder is trained to the "
                    + "end."]
                : [];

        public void Attach(TrainingSetup setup)
        {
            _model = setup.Model;
            _tensors = [.. ModelRates.Of(options, plan, _model)];
            if (_tensors.Count == 0)
                throw new InvalidOperationException(
                    $"{options.EffectiveName} trains no tensor of the model: choose other patterns or rates.");
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            foreach (var tensor in _tensors)
            {
                // Memory of its own, so that nothing reaches the file that the weights may be views of.
                var (value, type) = (tensor.Value, setup.Precision.Trainable);
                value.SetData(value.dtype == type ? value.detach().clone() : value.to(type));
                value.requires_grad = true;
            }

            SetTraining(true);
        }

        public void SetTraining(bool training)
        {
            foreach (var module in _tensors.Select(tensor => tensor.Module).Distinct())
                module.train(training && !(_textStopped && module != _model!.UNet));
        }

        public void AfterStep(StepMoment moment)
        {
            if (options.StopTextEncoderAt is { } last && moment.Step + 1 >= last) StopTextEncoder();
        }

        public IReadOnlyList<string> Save(SaveRequest request) =>
            ModelSaver.Save(_model!, request.Path, ModelTrainableOptions.SavingFor(request)).Files;

        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
        {
            var write = ModelSaver.Prepare(_model!, request.Path, ModelTrainableOptions.SavingFor(request), copies);
            return write is null ? null : () => write().Files;
        }

        public void Save(StateWriter writer)
        {
            foreach (var tensor in _tensors) writer.Tensor(tensor.Name, tensor.Value);
            writer.Number(StoppedEntry, _textStopped ? 1L : 0);
        }

        public void Load(StateReader reader)
        {
            foreach (var tensor in _tensors) reader.CopyTo(tensor.Name, tensor.Value);
            if (reader.Has(StoppedEntry) && reader.Long(StoppedEntry) != 0) StopTextEncoder();
        }

        /// <summary>The model is the run's.</summary>
        public void Dispose()
        {
            foreach (var module in _tensors.Select(tensor => tensor.Module).Distinct())
            {
                module.SetRequiresGrad(false);
                module.eval();
            }

            _tensors.Clear();
        }

        /// <summary>The optimizer keeps the weights' groups; without gradients it leaves them as they are.</summary>
        private void StopTextEncoder()
        {
            if (_textStopped) return;
            _textStopped = true;
            foreach (var tensor in _tensors.Where(tensor => tensor.Module != _model!.UNet))
            {
                tensor.Value.requires_grad = false;
                tensor.Module.eval();
            }
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

        /// <summary>Trains the model's own weights: <c>WithFullTraining(o => o with { StopTextEncoderAt = 500 })</c>.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Given the defaults, returns the options.</param>
        public static TBuilder WithFullTraining<TBuilder>(this TBuilder builder, Func<ModelTrainableOptions, ModelTrainableOptions> change)
            where TBuilder : ITrainableSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(change);
            return builder.WithTrainable(change(new ModelTrainableOptions()));
        }
    }
}
