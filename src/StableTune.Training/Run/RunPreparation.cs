using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>What a run has before anything is attached: the model, frozen, the images that can be read, and what is computed of them
/// once.</summary>
internal sealed record PreparedRun
{
    public required StableDiffusionModel Model { get; init; }

    public required ModelFingerprint Fingerprint { get; init; }

    /// <summary>The images that are left; null for a run without.</summary>
    public required TrainingDataset? Dataset { get; init; }

    public required RunCaches? Caches { get; init; }

    /// <summary>Parts that wait in host memory while steps are taken; null for none.</summary>
    public required WaitingParts? Waiting { get; init; }

    /// <summary>The model on the further devices of this process.</summary>
    public IReadOnlyList<PreparedReplica> Replicas { get; init; } = [];

    public required ValidationRun? Validation { get; init; }

    public required TrainingRandom Random { get; init; }

    /// <summary>The model's tokenizer; null where the text encoder was not needed and its files cannot be read.</summary>
    public required ITextTokenizer? Tokenizer { get; init; }
}

/// <summary>The first part of a run: looks at the images, loads what is needed of the model, freezes it, and computes what need not be
/// computed in every step.</summary>
/// <param name="plan">The options of the run.</param>
/// <param name="owned">What is disposed of with the run.</param>
/// <param name="configuration">What is known of the model already; null where it had yet to be downloaded.</param>
/// <param name="progress">Is told of loading and caching.</param>
/// <param name="processes">The processes that share the work.</param>
internal sealed class RunPreparation(TrainingPlan plan, OwnedThings owned, ModelConfiguration? configuration,
    IProgress<WorkProgress>? progress, RunProcesses processes)
{
    private ModelFingerprint _model = null!;
    private ModelFiles? _files;
    private ModelConfiguration? _configuration = configuration;

    private ModelConfiguration? Configuration => _configuration ??= _files?.Configuration();

    private bool MasksPictures => _model.Kind == ModelKind.Inpainting;

    private bool NeedsPixels => MasksPictures || plan.Method.Needs.HasFlag(MethodNeeds.Pixels);

    private bool UsesVaeLater => plan.Samples is not null || MasksPictures || plan.Method.Needs.HasFlag(MethodNeeds.Vae)
        || Keeps(ModelParts.Vae);

    private bool UsesTextLater => plan.Samples is not null || plan.ChangesTextEncoder
        || plan.Method.Needs.HasFlag(MethodNeeds.TextEncoder) || Keeps(ModelParts.TextEncoder);

    private ModelLoadOptions LoadOptions => plan.Model with
    {
        WeightType = plan.Precision.Weights, KeepStoredTypes = false, Parts = ModelParts.Vae | ModelParts.TextEncoder,
        Device = plan.EffectiveDevice, Progress = progress,
        Logger = plan.Model.Logger ?? plan.Logger,
    };

    private bool Keeps(ModelParts part) => plan.KeepModel || plan.Trainables.Any(trainable => trainable.KeptParts.HasFlag(part));

    public PreparedRun Prepare(TrainingDataset? dataset, CancellationToken cancellationToken)
    {
        // Open from the first look to the last weight; the weights themselves outlive it.
        using var files = plan.GivenModel is null ? ModelFiles.Open(plan.ModelPath!, LoadOptions, cancellationToken) : null;
        _files = files;
        if (processes.IsFirst) DrawClassImages(cancellationToken);
        if (plan.ClassImages.Any()) processes.Exchange([]);                  // the others wait for the images
        // What is cached of captions depends on what is merged into the text encoders.
        _model = Identify(dataset, cancellationToken).ChangedBy(plan.BaseAdapters.Select(adapter => adapter.Identity()));
        var random = owned.Add(new TrainingRandom(new NamedSeeds(plan.Seed)));
        var (images, caches) = dataset is null ? (null, null) : LookAtImages(dataset, cancellationToken);
        var validation = images?.Validation is { } held ? owned.Add(new ValidationRun(plan, held, caches!.Held!)) : null;
        var model = plan.GivenModel ?? Load(NeededParts(caches), cancellationToken);
        if (plan.GivenModel is not null) owned.Add(new ModelSettings(model, keepsSchedule: plan.KeepModel));
        if (plan.ZeroTerminalSnr) model.Scheduler = model.Scheduler with { RescaleBetasZeroSnr = true };
        Freeze(model);
        foreach (var adapter in plan.BaseAdapters)
        {
            // A host gets its model back as it was.
            if (plan.GivenModel is not null && !plan.KeepModel) owned.Add(adapter.LendTo(model));
            else adapter.MergeInto(model);
        }

        if (caches is not null) Fill(caches, model, random, validation, cancellationToken);
        // After the caches: what is computed once is computed with the weights as they are in the file.
        plan.Memory.QuantizedWeights?.ApplyTo(model);
        return new PreparedRun
        {
            Replicas = [.. plan.Distributed.Devices.Skip(1).Select(device => Replicate(device, caches, cancellationToken))],
            Waiting = caches is null ? null : LetWait(caches, model),
            Model = model, Fingerprint = _model, Dataset = images, Caches = caches, Validation = validation, Random = random,
            Tokenizer = model.Parts.HasFlag(ModelParts.TextEncoder) ? model.Tokenizer : Configuration?.Tokenizer,
        };
    }

    /// <summary>The model on a further device, with the parts that steps need there.</summary>
    private PreparedReplica Replicate(Device device, RunCaches? caches, CancellationToken cancellationToken)
    {
        var kept = plan.Trainables.Aggregate(ModelParts.None, (parts, trainable) => parts | trainable.KeptParts);
        var parts = ModelParts.UNet | kept;
        if (caches?.Latents is null || MasksPictures || plan.Method.Needs.HasFlag(MethodNeeds.Vae)) parts |= ModelParts.Vae;
        if (caches?.EncodesText != false || plan.ChangesTextEncoder || plan.Method.Needs.HasFlag(MethodNeeds.TextEncoder))
            parts |= ModelParts.TextEncoder;
        if (!plan.Method.Needs.HasFlag(MethodNeeds.UNet)) parts &= ~ModelParts.UNet | kept;
        var model = owned.Add(_files!.Load(LoadOptions with { Parts = parts, Device = device }, cancellationToken));
        if (plan.ZeroTerminalSnr) model.Scheduler = model.Scheduler with { RescaleBetasZeroSnr = true };
        Freeze(model);
        foreach (var adapter in plan.BaseAdapters) adapter.MergeInto(model);
        plan.Memory.QuantizedWeights?.ApplyTo(model);
        return new PreparedReplica(model, owned.Add(new TrainingRandom(new NamedSeeds(plan.Seed))));
    }

    /// <summary>
    /// Draws the class images that are missing, by the model as it is; what that took of the model is freed before training loads its own.
    /// </summary>
    private void DrawClassImages(CancellationToken cancellationToken)
    {
        ClassImageSource[] missing = [.. plan.ClassImages.Where(source => source.Missing().Count > 0)];
        if (missing.Length == 0) return;
        foreach (var type in missing.GroupBy(source => source.Options.Precision))
        {
            using var loaded = plan.GivenModel is null ? LoadToDraw(type.Key, cancellationToken) : null;
            foreach (var source in type)
                ClassImageGenerator.Generate(loaded ?? plan.GivenModel!, source.Options, progress, cancellationToken);
        }
    }

    private StableDiffusionModel LoadToDraw(ScalarType? type, CancellationToken cancellationToken)
    {
        var onGpu = LoadOptions.Device?.type == DeviceType.CUDA;
        return _files!.Load(LoadOptions with
        {
            Parts = ModelParts.All, WeightType = type ?? (onGpu ? ScalarType.Float16 : ScalarType.Float32),
        }, cancellationToken);
    }

    private ModelFingerprint Identify(TrainingDataset? dataset, CancellationToken cancellationToken)
    {
        if (plan.GivenModel is { } given) return ModelFingerprint.Of(given);
        var model = _files!.Fingerprint(cancellationToken);
        // Of a model that had yet to be downloaded this could not be told before.
        if (dataset?.Samples.Any(sample => sample.Item.TextOutputsPath is not null) == true
            && Configuration is { } read)
            InvalidOptionsException.ThrowIfAny([.. TrainingPlan.TextProblems(read, dataset)]);
        return model;
    }

    /// <summary>
    /// Finds images that cannot be read before a step is spent: those that steps will read, and those that caches are to be filled with
    /// where bad ones are left
    /// out; otherwise filling tells them. A run that finds everything in files reads none.
    /// </summary>
    /// <returns>The images that are left, and their caches.</returns>
    private (TrainingDataset Images, RunCaches Caches) LookAtImages(TrainingDataset dataset, CancellationToken cancellationToken)
    {
        var cachesLatents = plan.CachesLatents(dataset, NeedsPixels);
        RunCaches Open(TrainingDataset images) =>
            RunCaches.Open(plan, images, _model, cachesLatents, plan.CachesTextOutputs(images), progress, cancellationToken);
        if (!cachesLatents)
        {
            var readable = dataset.WithoutBadImages(progress, cancellationToken);
            return (readable, owned.Add(Open(readable)));
        }

        var caches = owned.Add(Open(dataset));
        if (dataset.Options.OnBadImage != BadImagePolicy.Skip || !caches.MissesLatents) return (dataset, caches);
        var left = dataset.WithoutBadImages(progress, cancellationToken);
        if (left == dataset) return (dataset, caches);
        caches.Dispose();
        return (left, owned.Add(Open(left)));
    }

    private StableDiffusionModel Load(ModelParts parts, CancellationToken cancellationToken)
    {
        var model = _files!.Load(LoadOptions with { Parts = parts, Storage = Storage(parts, cancellationToken) }, cancellationToken);
        if (!plan.KeepModel) return owned.Add(model);
        owned.AddUnlessKept(model);
        return model;
    }

    /// <summary>Steps on a CPU read all weights each time, which are found sooner in memory of the process, in huge pages, than in a
    /// mapped file. Where room is short they stay in the file, from which the system can drop them.</summary>
    private WeightStorage Storage(ModelParts parts, CancellationToken cancellationToken) =>
        plan.Model.Storage != WeightStorage.Automatic || plan.EffectiveDevice.type != DeviceType.CPU ? plan.Model.Storage
            : StorageWhere(_files!.ByteCount(parts, cancellationToken), DeviceMemory.Free(CPU));

    /// <summary>Where weights go on a CPU.</summary>
    /// <param name="bytes">What they take.</param>
    /// <param name="free">What can be had; null where nobody says.</param>
    internal static WeightStorage StorageWhere(long bytes, long? free) =>
        free < bytes + bytes / 8 ? WeightStorage.Automatic : WeightStorage.Copied;

    /// <summary>What an earlier run has left in files need not be computed, so what computes it need not be loaded.</summary>
    private ModelParts NeededParts(RunCaches? caches)
    {
        var parts = ModelParts.All;
        if (caches is null or { Latents: not null, MissesLatents: false } && !UsesVaeLater) parts &= ~ModelParts.Vae;
        if (caches is null or { EncodesText: false, MissesText: false } && !UsesTextLater) parts &= ~ModelParts.TextEncoder;
        if (!plan.Method.Needs.HasFlag(MethodNeeds.UNet) && plan.Samples is null && !Keeps(ModelParts.UNet)) parts &= ~ModelParts.UNet;
        return parts;
    }

    /// <summary>Nothing of the base model is trained, until a trainable says so.</summary>
    private void Freeze(StableDiffusionModel model)
    {
        List<nn.Module> parts = [.. model.TextEncoders];
        if (model.Parts.HasFlag(ModelParts.UNet)) parts.Add(model.UNet);
        if (model.Parts.HasFlag(ModelParts.Vae)) parts.Add(model.Vae);
        foreach (var part in parts)
        {
            part.SetRequiresGrad(false);
            part.eval();
        }

        if (model.Parts.HasFlag(ModelParts.UNet))
            (model.UNet.GradientCheckpointing, model.UNet.ComputeType) = (plan.GradientCheckpointing, plan.Precision.Compute);
        MemorySettings.Prepare(plan, model);
        if (plan.UseAttentionMask is { } mask && model.TextEncoders is [MaskedTextModel masked, ..]) masked.UseAttentionMask = mask;
        foreach (var encoder in model.TextEncoders)
            (encoder.GradientCheckpointing, encoder.ComputeType) = (
                plan.GradientCheckpointing && plan.TrainsTextEncoder, plan.Precision.Compute);
    }

    /// <summary>What need not be computed in every step is computed now, and what is not needed afterwards is released.</summary>
    private void Fill(RunCaches caches, StableDiffusionModel model, TrainingRandom random, ValidationRun? validation,
        CancellationToken cancellationToken)
    {
        if (processes.AreSeveral) FillTogether(caches, model, random, cancellationToken);
        if (caches.Latents is { Missing.Count: > 0 } latents)
            latents.Fill(new VaeLatentEncoder(model), random.Seeds, progress, cancellationToken);
        if (caches.Text is { Missing.Count: > 0 } text)
            text.Fill(new PromptTextEncoder(PromptEncoder.For(model), plan), progress, cancellationToken);
        // The first process alone measures.
        if (processes.IsFirst) validation?.Fill(model, cancellationToken);
        if (plan.GivenModel is not null) return;
        if (caches.Latents is not null && !UsesVaeLater) model.ReleaseVae();
        if (!caches.EncodesText && !UsesTextLater) model.ReleaseTextEncoder();
    }

    /// <summary>Each process computes its part of what is missing. They meet there also where one of them misses nothing.</summary>
    private void FillTogether(RunCaches caches, StableDiffusionModel model, TrainingRandom random, CancellationToken cancellationToken)
    {
        caches.Latents?.FillShared(processes, () => new VaeLatentEncoder(model), random.Seeds, progress, cancellationToken);
        caches.Text?.FillShared(processes, () => new PromptTextEncoder(PromptEncoder.For(model), plan), progress, cancellationToken);
    }

    /// <summary>What no step needs and samples do waits in host memory. On the CPU it lies there.</summary>
    private WaitingParts? LetWait(RunCaches caches, StableDiffusionModel model)
    {
        var device = model.Device;
        if (plan.GivenModel is not null || plan.Memory.KeepPartsOnDevice || device.type == DeviceType.CPU) return null;
        var parts = ModelParts.None;
        if (caches.Latents is not null && !MasksPictures && !plan.Method.Needs.HasFlag(MethodNeeds.Vae)) parts |= ModelParts.Vae;
        if (!caches.EncodesText && !plan.ChangesTextEncoder && !plan.Method.Needs.HasFlag(MethodNeeds.TextEncoder))
            parts |= ModelParts.TextEncoder;
        return (parts & model.Parts) == ModelParts.None ? null : new WaitingParts(model, parts, device);
    }
}
