using StableTune.Adapters;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests.Extensions;

// What a host would write, against public members alone: this assembly sees no internals of the rooms these parts plug into.

/// <summary>A source: every image has its caption in a .txt file beside it.</summary>
public sealed class CaptionedFolder(string folder) : IDatasetSource
{
    /// <summary>Cheap: headers and captions, never pixels.</summary>
    public IEnumerable<DatasetItem> Items()
        => from path in Directory.EnumerateFiles(folder, "*.png").Order(StringComparer.Ordinal)
           let caption = File.ReadAllText(Path.ChangeExtension(path, ".txt"))
           select new DatasetItem(path, ImageHeader.ReadSize(path), caption);
}

/// <summary>A saver: a note of where the run stood.</summary>
public sealed class NoteSaver(string path, string text) : ISaver
{
    public IEnumerable<OptionProblem> Validate()
    {
        if (text.Length == 0) yield return new OptionProblem("NoteSaver.text", text, "a note needs a text", "write one");
    }

    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        var file = OutputNames.For(path, moment);
        AtomicFile.WriteText(
            file, $"{text}: {moment.Trainables[0].Options.EffectiveName}, "
                + $"{moment.Trainables[0].Instance.Groups.Sum(g => g.Parameters.Count)} tensors, step {moment.Step} of "
                    + $"{moment.Run.TotalSteps}");
        return [file];
    }
}

/// <summary>Options of the simplest optimizer: θ ← θ − lr·g.</summary>
public sealed record PlainOptions : OptimizerOptions
{
    public double Factor { get; init; } = 1;

    public override IEnumerable<OptionProblem> Validate()
    {
        if (Factor <= 0) yield return Problem(Factor, "the factor must be positive", "1 is customary");
    }

    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Plain(groups, Factor);

    private sealed class Plain(IReadOnlyList<ParameterGroup> groups, double factor) : StatefulOptimizer(groups)
    {
        protected override void Update(OptimizerUpdate update)
        {
            foreach (var parameter in update.Parameters) parameter.Value.sub_(parameter.Gradient * (factor * update.LearningRate));
        }
    }
}

/// <summary>A schedule that halves the rate after each step.</summary>
public sealed record HalvingOptions : LrScheduleOptions
{
    public override string Name => "halving";

    public override ILrSchedule Create(int totalSteps) => new Halving();

    private sealed class Halving : ILrSchedule
    {
        public double Factor(int step) => Math.Pow(0.5, step);
    }
}

/// <summary>An adapter that trains ΔW itself: as large as the layer, starting at 0.</summary>
public sealed record DifferenceOptions : AdapterOptions
{
    public override string KeyPrefix => "own";

    public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new Difference(layer);

    private sealed class Difference : NetworkAdapter
    {
        private readonly Parameter diff;

        public Difference(AdaptedLayer layer) : base(nameof(Difference), layer)
        {
            diff = Trainable(zeros(layer.Shape.WeightShape, device: layer.Weight.device));
            RegisterComponents();
        }

        protected override Tensor Term(Tensor input) => Layer.Shape.Apply(input, diff);

        public override Tensor DeltaWeight(Tensor weight) => diff.alias();
    }
}

/// <summary>Something of the model itself to train: the bias of the UNet's last layer.</summary>
public sealed record OutputBiasOptions : TrainableOptions
{
    public double LearningRate { get; init; } = 1e-2;

    public string Group { get; init; } = "output bias";

    public override IEnumerable<OptionProblem> Validate()
    {
        if (LearningRate <= 0) yield return Problem(LearningRate, "the rate must be positive", "1e-2 is customary");
    }

    public override string DefaultName => Group;

    public override ITrainable Create(TrainingPlan plan) => new OutputBias(LearningRate, Group);

    private sealed class OutputBias(double rate, string group) : ITrainable
    {
        private Parameter? _bias;

        public string Name => "trainables/" + group;

        public IReadOnlyList<ParameterGroup> Groups => [new(group, [new("conv_out.bias", _bias!)], rate)];

        public void Attach(TrainingSetup setup)
        {
            _bias = setup.Model.UNet.named_parameters().Single(entry => entry.name == "conv_out.bias").parameter;
            _bias.requires_grad_(true);
        }

        public IReadOnlyList<string> Save(SaveRequest request)
        {
            Formats.SafetensorsWriter.Write(request.Path, Tensors.StatePayloads.Of([("conv_out.bias", _bias!)]));
            return [request.Path];
        }

        public void Save(StateWriter writer) => writer.Tensor("bias", _bias!);

        public void Load(StateReader reader) => reader.CopyTo("bias", _bias!);

        public void Dispose() { }
    }
}

/// <summary>Adds it to any builder that has a place for things to train.</summary>
public static class OutputBiasExtensions
{
    public static TBuilder WithOutputBias<TBuilder>(this TBuilder builder, OutputBiasOptions? options = null)
        where TBuilder : ITrainableSocket<TBuilder> => builder.WithTrainable(options ?? new OutputBiasOptions());
}

/// <summary>Adds the adapter to any builder that has a place for adapters.</summary>
public static class DifferenceExtensions
{
    public static TBuilder WithDifference<TBuilder>(this TBuilder builder, DifferenceOptions? options = null)
        where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new DifferenceOptions());
}
