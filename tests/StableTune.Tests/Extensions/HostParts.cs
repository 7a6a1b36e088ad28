using StableTune.Adapters;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Optimizers;
using StableTune.Schedules;
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
        AtomicFile.WriteText(file, $"{text}: {moment.Targets[0].Name}, {moment.Targets[0].Groups.Sum(g => g.Parameters.Count)} tensors, step {moment.Step} of {moment.Run.TotalSteps}");
        return [file];
    }
}

/// <summary>Options of the simplest optimizer: θ ← θ − lr·g.</summary>
public sealed record PlainOptions : OptimizerOptions
{
    public double Factor { get; init; } = 1;

    public override string ReferenceName => "host.Plain";

    public override IEnumerable<OptionProblem> Validate()
    {
        if (Factor <= 0) yield return Problem(Factor, "the factor must be positive", "1 is customary");
    }

    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Plain(groups, Factor);

    private sealed class Plain(IReadOnlyList<ParameterGroup> groups, double factor) : IOptimizer
    {
        private int _steps;

        public IReadOnlyList<ParameterGroup> Groups => groups;

        public OptimizerState State => new(new Dictionary<string, Tensor>(), new Dictionary<string, double> { ["step"] = _steps });

        public void Step(IReadOnlyList<double> learningRates)
        {
            using var frozen = no_grad();
            using var scope = NewDisposeScope();
            _steps++;
            foreach (var (group, rate) in groups.Zip(learningRates))
                foreach (var parameter in group.Parameters)
                    if (parameter.Value.grad is { } gradient) parameter.Value.sub_(gradient * (factor * rate));
        }

        public void LoadState(OptimizerState state) => _steps = (int)state.Scalars["step"];

        public void Dispose() { }
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

    public override NetworkAdapter Create(LayerShape layer, Generator random) => new Difference(layer);

    public override NetworkFacts Describe() => new("own.difference", null, null);

    private sealed class Difference : NetworkAdapter
    {
        private readonly LayerShape _layer;
        private readonly Parameter diff;

        public Difference(LayerShape layer) : base(nameof(Difference))
        {
            _layer = layer;
            diff = Trainable(zeros(layer.WeightShape, device: layer.Device));
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) =>
            _layer.Convolution is null ? nn.functional.linear(input, diff.to(input.dtype)) : nn.functional.conv2d(input, diff.to(input.dtype));

        public override Tensor DeltaWeight() => diff.alias();
    }
}

/// <summary>Something of the model itself to train: the bias of the UNet's last layer.</summary>
public sealed record OutputBiasOptions : TargetOptions
{
    public double LearningRate { get; init; } = 1e-2;

    public string Group { get; init; } = "output bias";

    public override IEnumerable<OptionProblem> Validate()
    {
        if (LearningRate <= 0) yield return Problem(LearningRate, "the rate must be positive", "1e-2 is customary");
    }

    public override ITrainingTarget Create(TrainingPlan plan) => new OutputBias(LearningRate, Group);

    private sealed class OutputBias(double rate, string group) : ITrainingTarget
    {
        private Parameter? _bias;

        public string Name => "OutputBias";

        public IReadOnlyList<ParameterGroup> Groups => [new(group, [new("conv_out.bias", _bias!)], rate)];

        public void Attach(Models.StableDiffusionModel model, Generator random)
        {
            _bias = model.UNet.named_parameters().Single(entry => entry.name == "conv_out.bias").parameter;
            _bias.requires_grad_(true);
        }

        public void Dispose() { }
    }
}

/// <summary>Adds it to any builder that has a place for things to train.</summary>
public static class OutputBiasExtensions
{
    public static TBuilder WithOutputBias<TBuilder>(this TBuilder builder, OutputBiasOptions? options = null)
        where TBuilder : ITargetSocket<TBuilder> => builder.WithTarget(options ?? new OutputBiasOptions());
}

/// <summary>A saver: all that a target trains, as safetensors.</summary>
public sealed class TargetSaver(string path, string target) : ISaver
{
    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        var file = OutputNames.For(path, moment);
        var trained = moment.Targets.Single(candidate => candidate.Name == target);
        Formats.SafetensorsWriter.Write(file, Tensors.StatePayloads.Of(trained.Groups.SelectMany(group => group.Parameters).Select(parameter => (parameter.Name, parameter.Value))));
        return [file];
    }
}

/// <summary>Adds the adapter to any builder that has a place for adapters.</summary>
public static class DifferenceExtensions
{
    public static TBuilder WithDifference<TBuilder>(this TBuilder builder, DifferenceOptions? options = null)
        where TBuilder : IAdapterSocket<TBuilder> => builder.WithAdapter(options ?? new DifferenceOptions());
}
