using System.Collections.Immutable;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Trainables
{
    /// <summary>
    /// Trains sd-trainer's PFG: a linear layer that makes text tokens of what a tagger saw in the image itself, so that captions are not
    /// needed; or applies one to what else is trained.
    /// </summary>
    public sealed record PfgOptions : TrainableOptions
    {
        private const int UsualTokens = 10;

        /// <summary>Numbers that the tagger gives of an image (<c>input_size</c>). Default 768, those of sd-trainer's tagger.</summary>
        public int InputSize { get; init; } = 768;

        /// <summary>Tokens that are made of them (<c>num_tokens</c>); null, the default, for as many as <see cref="InitialWeights"/> has,
        /// else 10.</summary>
        public int? Tokens { get; init; }

        /// <summary>Width of a token (<c>cross_attention_dim</c>); null, the default, for that of the model's text context.</summary>
        public int? ContextWidth { get; init; }

        /// <summary>A network to begin with (<c>resume</c>); null, the default, for a new one.</summary>
        public string? InitialWeights { get; init; }

        /// <summary>The learning rate; null, the default, for the run's.</summary>
        public double? Rate { get; init; }

        /// <summary>What a tagger saw (<c>.npz</c>, <c>controll</c>) in the images that samples shall be like: of each prompt the next one,
        /// from the start again where there are fewer. Needed where samples are drawn.</summary>
        public ImmutableList<string> SampleFeatures { get; init; } = [];

        /// <inheritdoc/>
        public override string DefaultName => "pfg";

        /// <inheritdoc/>
        public override ModelParts ActsThrough => ModelParts.UNet;

        /// <inheritdoc/>
        public override IReadOnlyList<string> FileExtensions => [".pt", ".safetensors"];

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (InputSize is < 1 or > 1 << 20)
                yield return Problem(InputSize, "a tagger gives at least one number", "768 is customary");
            if (Tokens is < 1 or > 10_000) yield return Problem(Tokens, "there must be at least one token", "10 is customary");
            if (ContextWidth < 1) yield return Problem(ContextWidth, "the width must be positive", "leave it unset for the model's");
            if (InitialWeights is { } path && !File.Exists(path))
                yield return Problem(InitialWeights, "there is no such file", "name a PFG network, or leave it unset");
            if (!Trained && InitialWeights is null)
                yield return Problem(InitialWeights, "a PFG network that is not trained says nothing without weights",
                    "name its file, or train it");
            if (Rate is { } rate && !(rate > 0 && double.IsFinite(rate)))
                yield return Problem(Rate, "the learning rate must be positive", "1e-4 is a start");
            foreach (var features in SampleFeatures)
                if (WidthProblem(features, $"{nameof(PfgOptions)}.{nameof(SampleFeatures)}") is { } problem) yield return problem;
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            ArgumentNullException.ThrowIfNull(plan);
            if (plan.Samples is not null && SampleFeatures.IsEmpty)
                yield return Problem("none", "samples need the features of a picture that they shall be like",
                    "name .npz files of a tagger, or draw no samples", nameof(SampleFeatures));
            if (plan.GivenModel is not { } model || !model.Parts.HasFlag(ModelParts.UNet)) yield break;
            foreach (var problem in ModelProblems(model.UNet.Options.CrossAttentionDim)) yield return problem;
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
        {
            ArgumentNullException.ThrowIfNull(model);
            return ModelProblems(model.ContextWidth);
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset dataset)
        {
            ArgumentNullException.ThrowIfNull(dataset);
            // Within a data set all images have features or none has, and all are as wide: the data set has told what is not so.
            var samples = dataset.Samples.Concat(dataset.Validation?.Samples ?? []).ToList();
            if (samples.Find(sample => sample.Item.PromptFreePath is null) is { } without)
                return [new OptionProblem("SubsetOptions.PromptFreeFolder", null,
                    $"PFG trains on what a tagger saw in the images, and there are no features of {without.Path}",
                    "make them (one .npz for each image, with an array controll), and name their folder")];
            return samples.Select(sample => sample.Item.PromptFreePath!).Take(1)
                .Select(path => WidthProblem(path, $"{nameof(PfgOptions)}.{nameof(InputSize)}")).OfType<OptionProblem>();
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new PfgTrainable(this, plan);

        /// <summary>A new network, or that of the file.</summary>
        internal PfgNetwork Network(int contextWidth, Generator random) => InitialWeights is { } path
            ? PfgNetwork.Load(path, contextWidth) : PfgNetwork.Create(InputSize, contextWidth, Tokens ?? UsualTokens, random);

        private OptionProblem? WidthProblem(string path, string option)
        {
            try
            {
                return PromptFreeFeatures.Read(path).Length is var width && width == InputSize ? null
                    : new OptionProblem(option, InputSize, $"{path} holds {width} features", $"set InputSize to {width}, or make the "
                        + "features with the tagger that is meant");
            }
            catch (InvalidFileException fault)
            {
                return fault.AsProblem(option);
            }
            catch (IOException fault)
            {
                return new OptionProblem(option, path, fault.Message.TrimEnd('.'), "name a file with a tagger's features");
            }
        }

        private IEnumerable<OptionProblem> ModelProblems(int contextWidth)
        {
            if (ContextWidth is { } asked && asked != contextWidth)
                yield return Problem(ContextWidth, $"the model's text context is {contextWidth} wide", "leave it unset");
            if (InitialWeights is not { } path || !File.Exists(path)) yield break;
            const string option = $"{nameof(PfgOptions)}.{nameof(InitialWeights)}";
            OptionProblem? problem = null;
            try
            {
                using var file = TensorFile.Open(path);
                var (inputSize, tokens) = PfgNetwork.Sizes(file, contextWidth);
                if (inputSize != InputSize)
                    problem = new OptionProblem(option, path, $"it takes {inputSize} features, and InputSize is {InputSize}",
                        $"set InputSize to {inputSize}, or name another file");
                else if (Tokens is { } wanted && wanted != tokens)
                    problem = new OptionProblem(option, path, $"it makes {tokens} tokens, and Tokens is {wanted}",
                        "leave Tokens unset, or name another file");
            }
            catch (InvalidFileException fault)
            {
                problem = fault.AsProblem(option);
            }

            if (problem is not null) yield return problem;
        }
    }

    /// <summary>A PFG network in a run: adds its tokens to the text of each sample.</summary>
    public sealed class PfgTrainable : ITrainable, IConditionStage, ISampleStage
    {
        private readonly PfgOptions _options;
        private readonly TrainingPlan _plan;
        private PfgNetwork? _network;

        internal PfgTrainable(PfgOptions options, TrainingPlan plan) => (_options, _plan) = (options, plan);

        /// <inheritdoc/>
        public string Name => "trainables/" + _options.EffectiveName;

        /// <inheritdoc/>
        public bool TensorsLastUntilUpdate => true;

        /// <summary>The network, once attached.</summary>
        /// <exception cref="InvalidOperationException">Not attached yet.</exception>
        public PfgNetwork Network =>
            _network ?? throw new InvalidOperationException($"{_options.EffectiveName} is not attached to a model yet.");

        /// <summary>Its tokens stand in the context, and there is no half of a token.</summary>
        public bool CanBeLeftOut => !_options.Trained;

        /// <inheritdoc/>
        public IReadOnlyList<ParameterGroup> Groups => !_options.Trained ? [] :
            [new ParameterGroup(_options.EffectiveName, [.. Parameters()], _options.Rate ?? _plan.LearningRate)];

        /// <inheritdoc/>
        public void Attach(TrainingSetup setup)
        {
            ArgumentNullException.ThrowIfNull(setup);
            var (model, type) = (setup.Model, _options.Trained ? setup.Precision.Trainable : setup.Precision.Weights);
            _network = _options.Network(model.UNet.Options.CrossAttentionDim, setup.Random.Initialization);
            using (var scope = NewDisposeScope())
            using (no_grad())
                foreach (var parameter in _network.Layer.parameters()) parameter.SetData(parameter.to(type).to(model.Device).clone());
            _network.Layer.SetRequiresGrad(_options.Trained);
            setup.Stages.Conditions.Add(this);
            setup.Stages.Samples.Add(this);
        }

        /// <inheritdoc/>
        /// <exception cref="InvalidOperationException">The batch has no features.</exception>
        public UNetConditions Add(StepPass pass)
        {
            ArgumentNullException.ThrowIfNull(pass);
            var features = pass.Batch.PromptFreeFeatures ?? throw new InvalidOperationException(
                $"'{pass.Batch.Items.FirstOrDefault()?.Path}' has no features of a tagger, which PFG trains on: " +
                "set SubsetOptions.PromptFreeFolder.");
            return Network.Extend(pass.Conditions, features);
        }

        /// <inheritdoc/>
        public UNetConditions Add(SamplePass pass)
        {
            ArgumentNullException.ThrowIfNull(pass);
            if (_options.SampleFeatures.IsEmpty) return pass.Conditions;
            using var scope = NewDisposeScope();
            var values = PromptFreeFeatures.Read(_options.SampleFeatures[pass.Index % _options.SampleFeatures.Count]);
            var extended = Network.Extend(pass.Conditions, AlignedTensor.Of(values, 1, values.Length));
            extended.Context.MoveToOuterDisposeScope();
            return extended;
        }

        /// <inheritdoc/>
        public IReadOnlyList<string> Save(SaveRequest request)
        {
            ArgumentNullException.ThrowIfNull(request);
            Network.Save(request.Path, request.EffectiveType);
            return [request.Path];
        }

        /// <inheritdoc/>
        public Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies)
        {
            ArgumentNullException.ThrowIfNull(request);
            return request.Written(Network.PrepareSave(request.Path, request.EffectiveType, copies));
        }

        /// <inheritdoc/>
        public void Save(StateWriter writer)
        {
            ArgumentNullException.ThrowIfNull(writer);
            foreach (var (name, parameter) in Parameters()) writer.Tensor(name, parameter);
        }

        /// <inheritdoc/>
        public void Load(StateReader reader)
        {
            ArgumentNullException.ThrowIfNull(reader);
            foreach (var (name, parameter) in Parameters()) reader.CopyTo(name, parameter);
        }

        /// <inheritdoc/>
        public void Dispose() => _network?.Dispose();

        private IEnumerable<NamedParameter> Parameters() =>
            Network.Layer.named_parameters().Select(entry => new NamedParameter($"{_options.EffectiveName}.{entry.name}", entry.parameter));
    }
}

namespace StableTune
{
    /// <summary>Trains sd-trainer's PFG on any builder that has a place for trainables.</summary>
    public static class PfgExtensions
    {
        /// <summary>Trains a PFG network; the images need what a tagger saw in them (<see cref="SubsetOptions.PromptFreeFolder"/>, or
        /// sd-trainer's layout).</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Changes the defaults: <c>o => o with { Tokens = 10 }</c>; null for none.</param>
        public static TBuilder WithPfg<TBuilder>(this TBuilder builder, Func<PfgOptions, PfgOptions>? change = null)
            where TBuilder : ITrainableSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(builder);
            return builder.WithTrainable(change?.Invoke(new PfgOptions()) ?? new PfgOptions());
        }
    }
}
