using System.Collections.Immutable;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Trainables
{
    /// <summary>The numbers that a ControlNet sees of its picture.</summary>
    public enum ControlPictureRange
    {
        /// <summary>Black is 0 and white 1, as everywhere but below.</summary>
        ZeroToOne,

        /// <summary>Black is -1 and white 1, as sd-scripts' script for SD 1 trains: for going on with what it has made.</summary>
        MinusOneToOne,
    }

    /// <summary>
    /// Trains a ControlNet, a copy of the UNet's way down that looks at a second image of each sample, or applies one to what else is
    /// trained. The UNet stays frozen; adapters act in the UNet, never in the copy.
    /// </summary>
    public sealed record ControlNetOptions : TrainableOptions
    {
        /// <summary>A ControlNet to begin with, a folder in diffusers' layout or a single file; null, the default, for a copy of the
        /// UNet.</summary>
        public string? InitialWeights { get; init; }

        /// <summary>Whether each residual is averaged over the picture (sd-trainer: <c>global_average_pooling</c>); null, the default, for
        /// what <see cref="InitialWeights"/> says, else not.</summary>
        public bool? GlobalPool { get; init; }

        /// <summary>How strongly it acts in samples, and where it is only applied. Default 1; it is trained at 1.</summary>
        public double Scale { get; init; } = 1;

        /// <summary>The learning rate; null, the default, for the run's. 1e-5 is customary.</summary>
        public double? Rate { get; init; }

        /// <summary>The numbers that it sees of its picture. Default 0 to 1.</summary>
        public ControlPictureRange Range { get; init; } = ControlPictureRange.ZeroToOne;

        /// <summary>Channels of the layers that look at the picture, of a new one: see
        /// <see cref="ControlNetModelOptions.ConditioningEmbeddingChannels"/>. Default 16, 32, 96, 256.</summary>
        public ImmutableArray<int> PictureChannels { get; init; } = [16, 32, 96, 256];

        /// <inheritdoc/>
        public override string DefaultName => "controlnet";

        /// <inheritdoc/>
        public override ModelParts ActsThrough => ModelParts.UNet;

        /// <inheritdoc/>
        public override bool TakesControlImages => true;

        private static string WeightsOption => $"{nameof(ControlNetOptions)}.{nameof(InitialWeights)}";

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (InitialWeights is { } path && !Path.Exists(path))
                yield return Problem(InitialWeights, "there is no such file or folder", "name a ControlNet, or leave it unset");
            if (!Trained && InitialWeights is null)
                yield return Problem(InitialWeights, "a ControlNet that is not trained changes nothing without weights",
                    "name its file or folder, or train it");
            if (Rate is { } rate && !(rate > 0 && double.IsFinite(rate)))
                yield return Problem(Rate, "the learning rate must be positive", "1e-5 is customary");
            if (!double.IsFinite(Scale)) yield return Problem(Scale, "the scale must be a finite number", "1 is customary");
            if (!Enum.IsDefined(Range)) yield return Problem(Range, "there is no such range", "use ControlPictureRange.ZeroToOne");
            if (PictureChannels.IsDefault || PictureChannels.Length != 4 || PictureChannels.Any(channels => channels < 1))
                yield return Problem(PictureChannels.IsDefault ? null : string.Join(", ", PictureChannels),
                    "four positive numbers are needed, as the VAE halves the picture three times", "16, 32, 96, 256 is customary",
                    nameof(PictureChannels));
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
        {
            ArgumentNullException.ThrowIfNull(plan);
            return plan.GivenModel is { } model && model.Parts.HasFlag(ModelParts.UNet) ? WeightProblems(model.UNet.Options) : [];
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
        {
            ArgumentNullException.ThrowIfNull(model);
            if (InitialWeights is null) return [];
            using var shapes = model.WithoutWeights();
            return WeightProblems(shapes.UNet.Options);
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset dataset)
        {
            ArgumentNullException.ThrowIfNull(dataset);
            return ControlPictures.Problems(dataset, "a ControlNet");
        }

        /// <inheritdoc/>
        public override IEnumerable<long[]> TrainedShapes(TrainingPlan plan, StableDiffusionModel model)
        {
            ArgumentNullException.ThrowIfNull(model);
            using var skip = StableTune.Torch.LayerInitialization.Skip(TorchSharp.torch.META);
            using var network = new ControlNetModel(new ControlNetModelOptions
            {
                UNet = model.UNet.Options, ConditioningEmbeddingChannels = PictureChannels,
            });
            return [.. network.parameters().Select(parameter => parameter.shape)];
        }

        /// <inheritdoc/>
        public override ITrainable Create(TrainingPlan plan) => new ControlNetTrainable(this, plan);

        private IReadOnlyList<OptionProblem> WeightProblems(UNetOptions unet) =>
            InitialWeights is { } path && Path.Exists(path) ? ControlNetLoader.Check(path, unet, WeightsOption) : [];
    }
}

namespace StableTune
{
    /// <summary>Trains ControlNets, or applies them, on any builder that has a place for trainables.</summary>
    public static class ControlNetExtensions
    {
        /// <summary>Trains a ControlNet; the images need control pictures (<see cref="SubsetOptions.ConditioningFolder"/>).</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="change">Changes the defaults: <c>o => o with { Rate = 1e-5 }</c>; null for none.</param>
        public static TBuilder WithControlNet<TBuilder>(this TBuilder builder, Func<ControlNetOptions, ControlNetOptions>? change = null)
            where TBuilder : ITrainableSocket<TBuilder>
        {
            ArgumentNullException.ThrowIfNull(builder);
            return builder.WithTrainable(change?.Invoke(new ControlNetOptions()) ?? new ControlNetOptions());
        }

        /// <summary>Applies a ControlNet to what else is trained.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="path">The ControlNet, a folder or a single file.</param>
        /// <param name="scale">How strongly it acts.</param>
        public static TBuilder WithFrozenControlNet<TBuilder>(this TBuilder builder, string path, double scale = 1)
            where TBuilder : ITrainableSocket<TBuilder> =>
            builder.WithControlNet(options => options with { InitialWeights = path, Scale = scale, Trained = false });
    }
}
