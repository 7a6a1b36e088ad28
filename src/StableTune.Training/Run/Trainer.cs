using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune;

/// <summary>A run that was checked and can start. Made by a builder, or from a plan.</summary>
public sealed class Trainer
{
    private readonly TrainingDataset? _dataset;
    private ModelConfiguration? _model;

    /// <summary>Takes a plan that works.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <exception cref="InvalidOptionsException">The plan cannot work; the message lists every problem.</exception>
    public Trainer(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var found = plan.Inspect();
        InvalidOptionsException.ThrowIfAny(found.Problems);
        (Plan, _dataset, _model) = (plan, found.Dataset, found.Model);
    }

    /// <summary>The options of the run.</summary>
    public TrainingPlan Plan { get; }

    /// <summary>The images of the run, checked as far as that goes without pixels: counts, sizes, warnings, and a report of them.</summary>
    /// <exception cref="InvalidOperationException">The run has no images.</exception>
    public TrainingDataset Dataset =>
        _dataset ?? throw new InvalidOperationException($"{Plan.Method.GetType().Name} trains without images.");

    /// <summary>
    /// Looks at every image once, before a step is spent, and tells all that is wrong or odd; see <see cref="TrainingDataset.Check"/>.
    /// Tokens of captions are counted
    /// with the model's tokenizer, unless the model has yet to be downloaded.
    /// </summary>
    /// <param name="options">Where odd begins; null for the defaults. The number of tokens is the run's.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. Findings are no exception: see
    /// <see cref="DatasetCheckReport.ThrowIfErrors"/>.</exception>
    public DatasetCheckReport Check(
        DatasetCheckOptions? options = null, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Dataset.Check(OfThisRun(options ?? new()), progress, cancellationToken);

    /// <summary>
    /// Writes an HTML page that shows the images as this run will show them to the model, with the captions of its first epochs and what
    /// <see cref="Check"/> finds; see
    /// <see cref="TrainingDataset.Preview"/>. What sd-scripts calls <c>debug_dataset</c>.
    /// </summary>
    /// <param name="path">The page, one file; complete or absent afterwards.</param>
    /// <param name="options">How much it shows; null for the defaults. Seed, steps and the number of tokens are the run's where they are
    /// null.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; nothing is written.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or there is such a file and it must not be replaced.</exception>
    /// <exception cref="IOException">The page cannot be written.</exception>
    public void Preview(string path, PreviewOptions? options = null, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new();
        var steps = Plan.EffectiveLength.TotalSteps(Plan.StepsPerEpoch(Dataset));
        Dataset.Preview(path, options with
        {
            Seed = options.Seed ?? Plan.Seed, TotalSteps = options.TotalSteps ?? steps, Check = OfThisRun(options.Check),
        }, progress, cancellationToken);
    }

    /// <summary>Trains on the calling thread, from loading the model to the last saved file.</summary>
    /// <param name="progress">Is told about every step, on the calling thread if its <see cref="IProgress{T}.Report"/> works there.</param>
    /// <param name="cancellationToken">Looked at between steps: the step ends, the weights are saved, then the exception is thrown.</param>
    /// <returns>What was reached and written.</returns>
    /// <exception cref="OperationCanceledException">The run was cancelled; what was trained so far is saved.</exception>
    /// <exception cref="TrainingDivergedException">The loss or the gradients became NaN or infinite; the last good weights are
    /// saved.</exception>
    /// <exception cref="InvalidFileException">A file turned out to be damaged.</exception>
    /// <exception cref="ProcessGroupException">Another process of the run has ended, does not answer, or was started with other
    /// options.</exception>
    public TrainingResult Train(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var processes = RunProcesses.Join(Plan);
        using var run = new TrainingRun(processes.Of(Plan), _dataset, _model, processes.IsFirst ? progress : null, processes);
        return run.Execute(cancellationToken);
    }

    private DatasetCheckOptions OfThisRun(DatasetCheckOptions options) => options with
    {
        MaxTokens = options.MaxTokens ?? Plan.MaxTokenLength,
        CountTokens = options.CountTokens ?? (Tokenizer is { } tokenizer ? tokenizer.CountTokens : null),
    };

    /// <summary>How many steps the run takes, and how often it sees each image: a dry run, which reads no pixels.</summary>
    public StepCount Steps => StepCount.Of(Plan, _dataset);

    /// <summary>
    /// The layers that adapters will be trained on, with kind, rank, parameters and rate: a dry run, which reads no weights. See
    /// <see cref="PlannedLayer.Table"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model has yet to be downloaded, so that its layers are not known.</exception>
    public IReadOnlyList<PlannedLayer> Layers()
    {
        if (Plan.GivenModel is { } given) return LayersOf(given);
        _model ??= ModelConfiguration.Find(Plan.ModelPath!, Plan.Model);
        if (_model is null)
            throw new InvalidOperationException($"The layers of '{Plan.ModelPath}' are not known before it has been downloaded.");
        using var model = _model.WithoutWeights();
        return LayersOf(model);
    }

    /// <summary>
    /// What the run will need of memory, by what it is for, against what is free, with the options that would make it smaller: a dry run,
    /// which reads no weights and no pixels. An estimate: the peak that was measured is in <see cref="TrainingResult.PeakMemoryBytes"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model has yet to be downloaded, so that its size is not known.</exception>
    public MemoryEstimate EstimateMemory()
    {
        var device = Plan.EffectiveDevice;
        if (Plan.GivenModel is { } given) return new MemoryEstimator(Plan, _dataset, given, given.Device).Estimate();
        _model ??= ModelConfiguration.Find(Plan.ModelPath!, Plan.Model);
        if (_model is null)
            throw new InvalidOperationException($"The size of '{Plan.ModelPath}' is not known before it has been downloaded.");
        using var model = _model.WithoutWeights();
        return new MemoryEstimator(Plan, _dataset, model, device).Estimate();
    }

    private IReadOnlyList<PlannedLayer> LayersOf(StableDiffusionModel model) =>
        [.. Plan.Trainables.OfType<AdapterTrainableOptions>().Where(trainable => trainable.Trained)
            .SelectMany(trainable => trainable.PlannedLayers(Plan, model))];

    /// <summary>Trains on a thread of its own: dispose scopes and gradient mode belong to one thread. See <see cref="Train"/>.</summary>
    public Task<TrainingResult> TrainAsync(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Factory.StartNew(() => Train(progress, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

    private ITextTokenizer? Tokenizer => Plan.GivenModel is not { } model
        // It may have been downloaded since.
        ? (_model ??= ModelConfiguration.Find(Plan.ModelPath!, Plan.Model))?.Tokenizer
        : model.Parts.HasFlag(ModelParts.TextEncoder) ? model.Tokenizer : null;
}
