using System.Runtime.ExceptionServices;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>One run from the first file read to the last file written. Owns everything it makes.</summary>
internal sealed class TrainingRun(TrainingPlan plan, TrainingDataset dataset, IProgress<TrainingProgress>? progress) : IDisposable
{
    private readonly Stack<IDisposable> _owned = new();
    private readonly IProgress<WorkProgress>? _work = PreparationProgress.For(progress);
    private ModelFingerprint? _model;
    private ValidationRun? _validation;
    private ModelParts _loaded;
    private readonly DateTimeOffset _startedAt = plan.Clock.GetUtcNow();     // before loading and caching, as in sd-scripts

    public TrainingResult Execute(CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();                                 // whatever the calling thread was doing
        cancellationToken.ThrowIfCancellationRequested();
        _model = ModelFingerprint.Read(plan.ModelPath!, plan.Model with { Progress = _work, Logger = plan.Model.Logger ?? plan.Logger }, cancellationToken);
        // Of a model that had yet to be downloaded this could not be told before.
        if (dataset.Samples.Any(sample => sample.TextOutputsPath is not null) && ModelConfiguration.Find(plan.ModelPath!, plan.Model) is { } configuration)
            InvalidOptionsException.ThrowIfAny([.. TrainingPlan.FitProblems(configuration, dataset)]);
        var random = Own(new TrainingRandom(new NamedSeeds(plan.Seed)));
        var caches = Own(LookAtImages(cancellationToken));
        if (dataset.Validation is { } images) _validation = Own(new ValidationRun(plan, images, caches.Held!));
        var model = Load(NeededParts(caches), cancellationToken);
        Freeze(model);
        Fill(caches, model, random, cancellationToken);
        var targets = Attach(model, random);
        var optimizer = Own(plan.Optimizer.Create([.. targets.SelectMany(t => t.Groups)]));
        var measure = _validation is { } held ? () => held.Measure(own => Parts(model, targets, own), cancellationToken) : (Func<double>?)null;
        var events = Events(model, targets, caches, measure);
        if (model.Device.type == DeviceType.CPU) Own(HostMemory.Keep(plan.EffectiveKeptMemoryBytes));
        var loop = new TrainingLoop(plan, new TrainingStep(Parts(model, targets, random)), optimizer, Batches(caches, events.TotalSteps, cancellationToken), events);
        try
        {
            events.Start(optimizer.Groups.SelectMany(g => g.Parameters).Sum(p => p.Value.numel()));
            loop.Run(cancellationToken);
            var files = events.Finish();
            return new TrainingResult
            {
                Steps = loop.Step, Epochs = loop.Epoch, Losses = loop.Losses, AverageLoss = loop.AverageLoss,
                Files = files, Samples = events.Samples, Warnings = events.Warnings, TrainingTime = loop.Elapsed, DataWait = loop.DataWait,
            };
        }
        catch (Exception fault)
        {
            var worst = events.Interrupt(fault);
            if (worst != fault) ExceptionDispatchInfo.Throw(worst);
            throw;
        }
    }

    /// <summary>
    /// Finds images that cannot be read before a step is spent: those that steps will read, and those that caches are to be filled with where bad ones are left
    /// out; otherwise filling tells them. A run that finds everything in files reads none.
    /// </summary>
    /// <returns>The caches of the images that are left.</returns>
    private RunCaches LookAtImages(CancellationToken cancellationToken)
    {
        RunCaches Open() => RunCaches.Open(plan, dataset, _model!, CachesLatents, plan.CachesTextOutputs(dataset), _work, cancellationToken);
        if (!CachesLatents)
        {
            dataset = dataset.WithoutBadImages(_work, cancellationToken);
            return Open();
        }

        var caches = Open();
        try
        {
            if (dataset.Options.OnBadImage != BadImagePolicy.Skip || !caches.MissesLatents) return caches;
            var readable = dataset.WithoutBadImages(_work, cancellationToken);
            if (readable == dataset) return caches;
            dataset = readable;
        }
        catch
        {
            caches.Dispose();
            throw;
        }

        caches.Dispose();
        return Open();
    }

    private StableDiffusionModel Load(ModelParts parts, CancellationToken cancellationToken)
    {
        _loaded = parts;
        var device = plan.Device ?? (cuda.is_available() ? new Device("cuda") : CPU);
        var options = plan.Model with
        {
            WeightType = plan.Precision.Weights, KeepStoredTypes = false, Parts = parts, Device = device, Progress = _work, Logger = plan.Model.Logger ?? plan.Logger,
        };
        return Own(ModelLoader.Load(plan.ModelPath!, options, cancellationToken));
    }

    /// <summary>The model's tokenizer, which is not loaded where an earlier run has left all that the text encoder gives.</summary>
    private ITextTokenizer? Tokenizer(StableDiffusionModel model) =>
        _loaded.HasFlag(ModelParts.TextEncoder) ? model.Tokenizer : ModelConfiguration.Find(plan.ModelPath!, plan.Model)?.Tokenizer;

    private bool MasksPictures => _model!.Kind == ModelKind.Inpainting;

    private bool CachesLatents => plan.CachesLatents(dataset, MasksPictures);

    /// <summary>What an earlier run has left in files need not be computed, so what computes it need not be loaded.</summary>
    private ModelParts NeededParts(RunCaches caches)
    {
        var parts = ModelParts.All;
        if (caches.Latents is not null && !caches.MissesLatents && !UsesVaeLater) parts &= ~ModelParts.Vae;
        if (!caches.EncodesText && !caches.MissesText && !UsesTextLater) parts &= ~ModelParts.TextEncoder;
        return parts;
    }

    private bool UsesVaeLater => plan.Samples is not null || MasksPictures;

    private bool UsesTextLater => plan.Samples is not null || plan.TrainsTextEncoder;

    /// <summary>Nothing of the base model is trained: only what the targets add.</summary>
    private void Freeze(StableDiffusionModel model)
    {
        List<nn.Module> parts = [model.UNet, .. model.TextEncoders];
        if (model.Parts.HasFlag(ModelParts.Vae)) parts.Add(model.Vae);
        foreach (var part in parts)
        {
            part.SetRequiresGrad(false);
            part.eval();
        }

        model.UNet.GradientCheckpointing = plan.GradientCheckpointing;
        if (plan.UseAttentionMask is { } mask && model.TextEncoders is [MaskedTextModel masked, ..]) masked.UseAttentionMask = mask;
        foreach (var encoder in model.TextEncoders) encoder.GradientCheckpointing = plan.GradientCheckpointing && plan.TrainsTextEncoder;
    }

    /// <summary>What need not be computed in every step is computed now, and what is not needed afterwards is released.</summary>
    private void Fill(RunCaches caches, StableDiffusionModel model, TrainingRandom random, CancellationToken cancellationToken)
    {
        if (caches.Latents is { Missing.Count: > 0 } latents) latents.Fill(new VaeLatentEncoder(model), random.Seeds, _work, cancellationToken);
        if (caches.Text is { Missing.Count: > 0 } text) text.Fill(new PromptTextEncoder(PromptEncoder.For(model), plan), _work, cancellationToken);
        _validation?.Fill(model, cancellationToken);
        if (caches.Latents is not null && !UsesVaeLater) model.ReleaseVae();
        if (!caches.EncodesText && !UsesTextLater) model.ReleaseTextEncoder();
    }

    private List<ITrainingTarget> Attach(StableDiffusionModel model, TrainingRandom random)
    {
        var targets = new List<ITrainingTarget>();
        void Add(ITrainingTarget target)
        {
            Own(target).Attach(model, random.Initialization);
            targets.Add(target);
        }

        foreach (var options in plan.EffectiveAdapters) Add(new AdapterTarget(options, plan.LearningRate));
        foreach (var options in plan.Targets) Add(options.Create(plan));
        CheckNames(targets);
        return targets;
    }

    /// <summary>Rates are told, and the optimizer's state is kept, by these names.</summary>
    private static void CheckNames(IReadOnlyList<ITrainingTarget> targets)
    {
        var groups = targets.SelectMany(target => target.Groups.Select(group => (Owner: target.Name, Group: group))).ToList();
        var names = groups.Select(entry => (entry.Owner, entry.Group.Name)).Concat(groups.SelectMany(entry => entry.Group.Parameters.Select(parameter => (entry.Owner, parameter.Name))));
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (owner, name) in names)
            if (!taken.TryAdd(name, owner)) throw new InvalidOperationException($"\"{name}\" is the name of something that {taken[name]} trains and of something that {owner} trains. Names of groups and parameters must differ within a run.");
    }

    private TrainingStepParts Parts(StableDiffusionModel model, IReadOnlyList<ITrainingTarget> targets, TrainingRandom random) => new()
    {
        Latents = new VaeLatentStage(model, random.Vae),
        Context = new PromptContextStage(model.Parts.HasFlag(ModelParts.TextEncoder) ? PromptEncoder.For(model) : null, plan, model.Device),
        Conditions = model.UNet.Options.TakesMask ? [new SizeConditionStage(), new RandomMaskStage(model, random.Masks)] : [new SizeConditionStage()],
        UNet = model.UNet,
        Schedule = NoiseSchedule.From(model.Scheduler),
        Prediction = PredictionType.Parse(model.Scheduler.PredictionType),
        Noise = plan.Noise,
        Timesteps = plan.Timesteps,
        Loss = plan.Loss,
        Targets = targets,
        Random = random,
    };

    private Func<int, IEnumerable<Batch>> Batches(RunCaches caches, int totalSteps, CancellationToken cancellationToken)
    {
        var loader = Own(new BatchLoader(plan.Loader with { MicroSteps = plan.GradientAccumulation, TotalSteps = totalSteps }, caches.Latents, caches.Text));
        var seeds = new NamedSeeds(plan.Seed);
        return epoch => loader.Load(EpochPlan.Create(dataset, seeds, epoch), cancellationToken: cancellationToken);
    }

    private TrainingEvents Events(StableDiffusionModel model, IReadOnlyList<ITrainingTarget> targets, RunCaches caches, Func<double>? validation)
    {
        var stepsPerEpoch = plan.StepsPerEpoch(dataset);
        var (steps, epochs) = (plan.EffectiveLength.TotalSteps(stepsPerEpoch), plan.EffectiveLength.TotalEpochs(stepsPerEpoch));
        var run = new RunDescription
        {
            SessionId = unchecked((uint)new NamedSeeds(plan.Seed).For("session", _startedAt.UtcTicks)),
            StartedAt = _startedAt,
            TotalSteps = steps,
            TotalEpochs = epochs,
            Dataset = dataset,
            BaseModelVersion = model.BaseModelVersion,
            Prediction = model.Scheduler.PredictionType,
            CachesLatents = caches.Latents is not null,
            Warnings =
            [
                .. dataset.Warnings, .. caches.Notes,
                .. PlanWarnings.Of(plan, model, targets, dataset, Tokenizer(model)),
            ],
            Sources = plan.Savers.Any(saver => saver is AdapterSaver { WriteMetadata: true })
                ? Own(new SourceHashes(model.Details?.Path, plan.Model.VaePath, plan.Logger)) : null,
        };
        List<ITrainingObserver> observers = [.. plan.Observers];
        if (plan.Logger is { } logger) observers.Insert(0, new LoggerObserver(logger));
        var sampler = plan.Samples is { } samples ? new TrainingSampler(samples, model, plan, targets) : null;
        return new TrainingEvents(plan, targets, run, observers, sampler, validation, progress);
    }

    private T Own<T>(T made) where T : IDisposable
    {
        _owned.Push(made);
        return made;
    }

    public void Dispose()
    {
        while (_owned.TryPop(out var made)) made.Dispose();
    }
}
