using StableTune.Trainables;
using StableTune.Training;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;

namespace StableTune;

public sealed partial record TrainingPlan
{
    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => Inspect().Problems;

    /// <summary>Checks everything in one pass over the files, and keeps the data set that came of it.</summary>
    internal PlanInspection Inspect()
    {
        var (faults, model) = InspectModel();
        var inspected = NeedsImages ? Dataset.SharedBy(Distributed.Shares).Inspect() : default;
        var (dataset, problems) = (inspected?.Dataset, inspected?.Problems ?? []);
        return new PlanInspection(dataset, model,
        [
            .. faults, .. problems, .. TrainableProblems(), .. OutputProblems(), .. RateProblems(), .. GradientProblems(),
                .. LengthProblems(dataset), .. TextProblems(dataset),
            .. CacheProblems(dataset), .. ControlProblems(dataset), .. MemoryProblems(), .. MemoryProblems(model),
            .. ValidationProblems(dataset), .. ScheduleProblems(dataset), .. PartProblems(), .. FitProblems(model, dataset),
            .. DistributedProblems(),
        ]);
    }

    private bool NeedsImages => Method.Needs.HasFlag(MethodNeeds.Dataset);

    private (IEnumerable<OptionProblem> Problems, ModelConfiguration? Model) InspectModel()
    {
        if (GivenModel is not null)
            return (ModelPath is null ? GivenProblems(GivenModel)
                : [Problem(ModelPath, "a model was given too", "call WithModel once, with a path or with a model")], null);
        if (ModelPath is null) return ([Problem(ModelPath, "a base model is required", "call WithModel(path)")], null);
        var (faults, model) = ModelLoader.Inspect(ModelPath, Model, option: $"{nameof(TrainingPlan)}.{nameof(ModelPath)}");
        return ([.. LoadingProblems(), .. faults], model);
    }

    /// <summary>What the run decides is not taken in silence from options that would decide otherwise.</summary>
    private IEnumerable<OptionProblem> LoadingProblems()
    {
        const string owner = nameof(ModelLoadOptions), rule = "a run decides this itself";
        if (Model.Device is { } device)
            yield return new OptionProblem(
                $"{owner}.{nameof(Model.Device)}", device.ToString(), rule, "use TrainingPlan.Device, or On(device)");
        if (Model.WeightType != new ModelLoadOptions().WeightType || Model.KeepStoredTypes)
            yield return new OptionProblem(
                $"{owner}.{(Model.KeepStoredTypes ? nameof(Model.KeepStoredTypes) : nameof(Model.WeightType))}",
                Model.KeepStoredTypes ? true : Model.WeightType.ToString(), rule, "use TrainingPlan.Precision, or WithPrecision(policy)");
        if (Model.Parts != ModelParts.All)
            yield return new OptionProblem(
                $"{owner}.{nameof(Model.Parts)}", Model.Parts.ToString(), "a run loads what it needs", "leave it unset");
        if (Model.Progress is not null)
            yield return new OptionProblem($"{owner}.{nameof(Model.Progress)}", null, "a run tells its own progress, of loading too",
                "give Train(progress) one");
    }

    private IEnumerable<OptionProblem> GivenProblems(StableDiffusionModel model)
    {
        if (Method.Needs.HasFlag(MethodNeeds.UNet) && !model.Parts.HasFlag(ModelParts.UNet))
            yield return Problem(GivenModel, "the model that was given has no UNet", "load it with ModelParts.UNet", nameof(GivenModel));
        if (Device is { } device && !SameDevice(device, model.Device))
            yield return Problem(Device, $"the model that was given lies on {model.Device}", "leave it unset, or load the model there");
        if (model.Parts != ModelParts.All && ClassImages.Any(source => source.Missing().Count > 0))
            yield return Problem(GivenModel, "class images are to be drawn, and the model that was given lacks a part for that",
                "load it with ModelParts.All, or draw them before with ClassImageGenerator", nameof(GivenModel));
        var (parts, needed) = (model.Parts, TrainsTextEncoder || Samples is not null ? ModelParts.TextEncoder : ModelParts.None);
        if (needed != ModelParts.None && !parts.HasFlag(ModelParts.TextEncoder))
            yield return Problem(GivenModel, "the model that was given has no text encoder, which is trained or draws samples",
                "load it with ModelParts.TextEncoder", nameof(GivenModel));
    }

    private static bool SameDevice(Device one, Device other) =>
        one.type == other.type && Math.Max(0, one.index) == Math.Max(0, other.index);

    /// <summary>What depends on the model: told now, not when it has been loaded.</summary>
    private IEnumerable<OptionProblem> FitProblems(ModelConfiguration? model, TrainingDataset? dataset)
    {
        if (Device is { } device && !NativeBackend.HasDevice(device, out var missing))
            yield return Problem(Device, missing.TrimEnd('.'), "leave it unset to run on what there is");
        foreach (var problem in GivenModel is null ? [] : WeightingProblems(GivenModel.Scheduler.Prediction)) yield return problem;
        if (GivenModel is { } given && given.Parts.HasFlag(ModelParts.UNet) && given.UNet.TakesDepth)
            foreach (var problem in InputProblems(ModelKind.Depth, dataset)) yield return problem;
        if (model is null) yield break;
        foreach (var problem in TextProblems(model, dataset)) yield return problem;
        foreach (var problem in Trainables.SelectMany(trainable => trainable.Fits(this, model))) yield return problem;
        foreach (var problem in Method.Fits(this, model)) yield return problem;
        if (BaseAdapters.Count > 0)
        {
            using var shapes = model.WithoutWeights();
            foreach (var problem in BaseAdapters.SelectMany(adapter => adapter.FitProblems(shapes))) yield return problem;
        }

        var layers = model.LargestClipSkip;
        if (ClipSkip > layers)
            yield return Problem(ClipSkip, $"the text encoder has {layers} layers",
                $"give 1 to {layers}, or leave it unset for the last layer");
        if (MaxTokenLength > model.LargestTokenLength)
            yield return Problem(MaxTokenLength, $"the model's text encoder takes {model.LargestTokenLength} tokens between start and end",
                $"give at most {model.LargestTokenLength / ClipTokenizer.ChunkBodyLength * ClipTokenizer.ChunkBodyLength}");
        if (UseAttentionMask == true && !model.TakesAttentionMask)
            yield return Problem(UseAttentionMask, "the model's text encoder is CLIP's, which has no attention mask", "leave it unset");
        foreach (var skip in Samples?.Prompts.Select(prompt => prompt.ClipSkip).Where(skip => skip > layers).Distinct() ?? [])
            yield return new OptionProblem(
                $"{nameof(TextToImageOptions)}.{nameof(TextToImageOptions.ClipSkip)}", skip, $"the text encoder has {layers} layers",
                $"give 1 to {layers}, or leave it unset for the last layer");
        foreach (var problem in InputProblems(model.Details.Kind, dataset)) yield return problem;
        if (model.Details.Kind is not (ModelKind.TextToImage or ModelKind.Inpainting or ModelKind.Depth))
            yield return Problem(ModelPath,
                $"the UNet takes {model.Details.InChannels} channels; models with 4 (text to image), 5 (depth) and 9 (inpainting) are "
                    + $"trained", "use another model");
        if (Timesteps.Range is var (_, last) && last > model.Scheduler.TrainTimesteps)
            yield return new OptionProblem($"{Timesteps.GetType().Name}.Max", last,
                $"the model has {model.Scheduler.TrainTimesteps} timesteps", $"give at most {model.Scheduler.TrainTimesteps}");
        foreach (var problem in WeightingProblems(model.Scheduler.Prediction)) yield return problem;
    }

    private IEnumerable<OptionProblem> WeightingProblems(ModelPrediction prediction) => Method is not DenoisingOptions ? []
        : from weighting in Loss.Weightings
          let misfit = weighting.Misfit(PredictionType.Of(prediction))
          where misfit is not null
          select new OptionProblem($"{nameof(TrainingPlan)}.{nameof(Loss)}", weighting.GetType().Name, misfit, "leave it out");

    /// <summary>Text encoder outputs that came with the data set and are not such as this model takes.</summary>
    internal static IEnumerable<OptionProblem> TextProblems(ModelConfiguration model, TrainingDataset? dataset) =>
        dataset is null ? [] : TextOutputCache.ValidatePrecomputed(dataset, model.ContextWidth, model.PooledWidth);

    /// <summary>A saver that would write over the model: its weights may be views of that file.</summary>
    private IEnumerable<OptionProblem> OutputProblems()
    {
        string[] inputs = [.. new[] { ModelPath, Model.VaePath }.Where(path => !string.IsNullOrWhiteSpace(path))
            .Select(path => RealPath(path!))];
        var comparison = OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
        foreach (var (saver, output) in Savers.SelectMany(saver => saver.Outputs(this).Select(output => (saver, output))))
        {
            var real = RealPath(output.Path);
            bool IsOf(string input) => real.Equals(input, comparison)
                || (real.StartsWith(input + Path.DirectorySeparatorChar, comparison) && File.Exists(real));
            if (inputs.Any(IsOf))
                yield return new OptionProblem(
                    output.Option, output.Path, "this is a file of the model that is trained", "give another path");
            // A folder where a file is to be has been told by the saver.
            else if (!Overwrite && Resume is null && (File.Exists(real) || !RunFolders.IsFree(real))
                && !saver.Validate().Concat(saver.Fits(this)).Any())
                yield return new OptionProblem(
                    output.Option, output.Path, "it exists, and a run overwrites nothing unasked",
                    "give another path, or call Overwrite()");
        }
    }

    private static string RealPath(string path)
    {
        var full = Path.GetFullPath(path);
        return File.Exists(full) && File.ResolveLinkTarget(full, returnFinalTarget: true) is { } target ? target.FullName : full;
    }

    private IEnumerable<OptionProblem> TrainableProblems()
    {
        const string option = $"{nameof(TrainingPlan)}.{nameof(Trainables)}";
        if (!Trainables.Any(trainable => trainable.Trained))
            yield return new OptionProblem(option, null, "there is nothing to train", "call WithLoRA(rank, alpha)");
        foreach (var name in Trainables.GroupBy(trainable => trainable.EffectiveName, StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1).Select(same => same.Key))
            yield return new OptionProblem(
                option, name, "two things have this name", "give each a name of its own (TrainableOptions.Name)");
        if (Savers.Count == 0 && !KeepModel)
            yield return new OptionProblem(
                $"{nameof(TrainingPlan)}.{nameof(Savers)}", null, "the result would be lost", "call SaveTo(path), or KeepModel()");
        if (!Precision.IsSupported)
            yield return Problem(Precision, "this combination of number formats is not supported", PrecisionPolicy.Advice);
    }

    private IEnumerable<OptionProblem> RateProblems()
    {
        const string rule = "a learning rate must not be negative, and finite";
        if (!IsRate(LearningRate)) yield return Problem(LearningRate, rule, "1e-4 is customary for LoRA");
        if (UNetLearningRate is { } unet && !IsRate(unet)) yield return Problem(UNetLearningRate, rule, "1e-4 is customary for LoRA");
        if (TextEncoderLearningRate is { } text && !IsRate(text))
            yield return Problem(TextEncoderLearningRate, rule, "5e-5 is customary for LoRA");
        if (SecondTextEncoderLearningRate is { } second && !IsRate(second))
            yield return Problem(SecondTextEncoderLearningRate, rule, "5e-5 is customary for LoRA");
        if (ScaleLearningRate && Dataset.Others.Any(other => other.Options.BatchSize != Dataset.Options.BatchSize))
            yield return Problem(ScaleLearningRate, "the data sets have batches of different sizes, so there is no one factor",
                "give them one batch size, or set the learning rate itself");
    }

    private IEnumerable<OptionProblem> LengthProblems(TrainingDataset? dataset)
    {
        if (Length.Count < 1)
            yield return Problem(Length, "training must be at least one step or epoch long", "use For(TrainingLength.Steps(1600))");
        if (TestSteps < 1)
            yield return Problem(TestSteps, "a trial run takes at least 1 step", "leave it unset to train for the whole length");
        if (KeptMemoryBytes < 0)
            yield return Problem(KeptMemoryBytes, "the memory to keep must not be negative",
                "0 keeps none; leave it unset to have it chosen");
        if (!NeedsImages && EffectiveLength is not { IsInSteps: true })
            yield return Problem(Length, "without images there are no epochs", "use For(TrainingLength.Steps(1000))");
        foreach (var problem in StartProblems(dataset)) yield return problem;
        if (GradientAccumulation < 1)
            yield return Problem(GradientAccumulation, "a step needs at least one batch", "1 turns accumulation off");
        else if (dataset is not null && EffectiveLength.ExactSteps(StepsPerEpoch(dataset)) > int.MaxValue)
            yield return Problem(Length, $"with {StepsPerEpoch(dataset)} steps an epoch this is more than {int.MaxValue} steps",
                "train for fewer epochs, or use TrainingLength.Steps");
    }

    private IEnumerable<OptionProblem> StartProblems(TrainingDataset? dataset)
    {
        if (Start is not { } start) yield break;
        var faults = start.Validate().ToList();
        foreach (var fault in faults) yield return fault;
        if (Resume is not null)
            yield return Problem($"epoch {start.Epoch}, step {start.Step}", "a run that is resumed begins where its state stands",
                "set Start or Resume", nameof(Start));
        if (!NeedsImages)
            yield return Problem($"epoch {start.Epoch}", "without images there are no epochs", "leave it unset", nameof(Start));
        else if (faults.Count == 0 && dataset is not null && GradientAccumulation > 0
            && start.Position(StepsPerEpoch(dataset), GradientAccumulation).Step is var first
            && first >= EffectiveLength.ExactSteps(StepsPerEpoch(dataset)))
            yield return Problem($"step {first}", $"the run is {EffectiveLength.ExactSteps(StepsPerEpoch(dataset))} steps long, so nothing "
                + "is left to train", "begin earlier, or train longer", nameof(Start));
    }

    private IEnumerable<OptionProblem> TextProblems(TrainingDataset? dataset)
    {
        if (ClipSkip is < 1) yield return Problem(ClipSkip, "layers are counted from the end, from 1", "leave it unset for the last layer");
        if (MaxTokenLength < ClipTokenizer.ChunkBodyLength || MaxTokenLength % ClipTokenizer.ChunkBodyLength != 0)
            yield return Problem(MaxTokenLength, "the token length must be a multiple of 75", "75, 150 and 225 are customary");
        if (!PadTokens && MaxTokenLength != ClipTokenizer.ChunkBodyLength)
            yield return Problem(PadTokens, $"without padding {ClipTokenizer.ChunkBodyLength} tokens count, but "
                + $"{nameof(TrainingPlan)}.{nameof(MaxTokenLength)} is {MaxTokenLength}", "leave one of the two unset");
        foreach (var problem in WeightProblems(dataset)) yield return problem;
        if (dataset?.Samples.FirstOrDefault(sample => sample.Item.TextOutputsPath is not null) is { Item.TextOutputsPath: { } given })
        {
            const string leaveOut = "leave the outputs out (SdTrainerSource.TakeTextOutputs = false)";
            if (TrainsTextEncoder)
                yield return new OptionProblem(
                "DatasetItem.TextOutputsPath", given, "outputs of a text encoder that is trained cannot come with the images",
                $"train the UNet only, or {leaveOut}");
            if (!PadTokens)
                yield return Problem(PadTokens, $"text encoder outputs came with the images, and they are padded ({given})",
                    $"leave it unset, or {leaveOut}");
            if (WeightedCaptions)
                yield return Problem(WeightedCaptions,
                $"text encoder outputs came with the images, whose captions are not encoded ({given})", $"turn it off, or {leaveOut}");
        }

        if (!AsksForTextOutputs) yield break;
        if (TrainsTextEncoder)
            yield return new OptionProblem(
            Cache.TextEncoderOutputsToDisk ? "CacheOptions.TextEncoderOutputsToDisk" : "CacheOptions.TextEncoderOutputs", true,
            "outputs of a text encoder that is trained cannot be cached", "train the UNet only, or do not cache them");
        // New words say so by themselves, with words of their own.
        else if (Trainables.OfType<AdapterTrainableOptions>().FirstOrDefault(adapter => adapter.ChangesTextEncoder(this)) is { } frozen)
            yield return new OptionProblem("CacheOptions.TextEncoderOutputs", true,
                $"\"{frozen.EffectiveName}\" acts on the text encoder, and captions are encoded ahead without it",
                "leave it unset, or apply the adapter to the UNet only");
        if (!PadTokens)
            yield return new OptionProblem("CacheOptions.TextEncoderOutputs", true,
                "without padding (TrainingPlan.PadTokens) a caption's length is that of its batch, so captions cannot be encoded ahead",
                "leave one of the two unset");
        if (Stages.Captions.Count > 0)
            yield return new OptionProblem("CacheOptions.TextEncoderOutputs", true,
                "a stage changes captions in each step, so they cannot be encoded ahead", "leave it unset, or take the stage away");
        if (dataset is null) yield break;
        foreach (var problem in TextOutputCache.Validate(dataset)) yield return problem;
    }

    private string LatentsOption => Cache.LatentsToDisk ? "CacheOptions.LatentsToDisk" : "CacheOptions.Latents";

    private IEnumerable<OptionProblem> CacheProblems(TrainingDataset? dataset)
    {
        foreach (var problem in Cache.Validate()) yield return problem;
        if (AsksForLatents && Method.Needs.HasFlag(MethodNeeds.Pixels))
            yield return new OptionProblem(LatentsOption, true, $"{Method.GetType().Name} needs the pictures themselves in every step",
                "leave it unset");
        if (dataset is null) yield break;
        var gone = dataset.Samples.FirstOrDefault(sample => sample.Item.IsCachedOnly);
        if (gone is not null && Cache.Latents == false)
            yield return new OptionProblem(
                LatentsOption, false, $"some images are gone and only their latents are left ({gone.Path})",
                "leave it unset, or put the images back");
        else if (!Cache.LatentsToDisk && dataset.Samples.FirstOrDefault(sample =>
            sample.Item.IsCachedOnly && sample.Item.LatentsPath is null) is { } kept)
            yield return new OptionProblem(
                "CacheOptions.LatentsToDisk", false, $"some images are gone and only their latents in files are left ({kept.Path})",
                "call WithCachedLatents(toDisk: true), or put the images back");
        if (!AsksForLatents && gone is null) yield break;
        foreach (var problem in LatentCache.Validate(dataset)) yield return problem;
    }

    /// <summary>Captions whose brackets cannot be read, before a step is spent.</summary>
    private IEnumerable<OptionProblem> WeightProblems(TrainingDataset? dataset)
    {
        if (!WeightedCaptions || dataset is null) yield break;
        foreach (var sample in dataset.Samples.Concat(dataset.Validation?.Samples ?? []).DistinctBy(sample => sample.Path))
        {
            if (BracketFault(sample.Caption) is { } fault)
                yield return new OptionProblem(
                    "DatasetItem.Caption", sample.Path, fault.TrimEnd('.'), "mend the caption, or leave WeightedCaptions off");
        }
    }

    private static string? BracketFault(string caption)
    {
        try
        {
            foreach (var line in caption.Split('\n')) PromptAttention.Parse(line);
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    private IEnumerable<OptionProblem> ValidationProblems(TrainingDataset? dataset) =>
        Validation is not null && dataset is { Validation: null }
            ? [Problem(Validation, "no images are held out to measure the loss on",
                "set DatasetOptions.ValidationSplit, or give more images"), .. Validation.Validate()]
            : Validation?.Validate() ?? [];

    /// <summary>What trainables need of the images, and control pictures of samples that nothing would look at.</summary>
    private IEnumerable<OptionProblem> ControlProblems(TrainingDataset? dataset)
    {
        if (dataset is not null)
            foreach (var problem in Trainables.SelectMany(trainable => trainable.Fits(this, dataset))) yield return problem;
        if (Samples?.Prompts.Exists(prompt => prompt is { ControlImage: not null, ControlNet: null }) == true
            && !Trainables.Exists(trainable => trainable.TakesControlImages))
            yield return new OptionProblem($"{nameof(TextToImageOptions)}.{nameof(TextToImageOptions.ControlImage)}", "set",
                "nothing in this run looks at a control picture", "call WithControlNet(), or leave it unset");
    }

    /// <summary>The run's schedule, and those that things have of their own; each is told once.</summary>
    private IEnumerable<OptionProblem> ScheduleProblems(TrainingDataset? dataset) =>
        Trainables.Where(trainable => trainable.Trained).Select(trainable => trainable.Schedule).OfType<LrScheduleOptions>()
            .Prepend(Schedule).Distinct().SelectMany(schedule => schedule.Validate().Concat(schedule.Fits(this, dataset)));

    private IEnumerable<OptionProblem> PartProblems() =>
    [
        .. BaseAdapters.SelectMany(adapter => adapter.Problems()),
        .. Trainables.SelectMany(trainable => trainable.Validate().Concat(trainable.Fits(this))),
            .. Method.Validate(), .. Method.Fits(this),
            .. Gradients?.Validate() ?? [], .. Resume?.Validate() ?? [], .. Loader.Validate(), .. Optimizer.Validate(),
            .. Optimizer.Fits(this), .. RoundingProblems(), .. Save.Validate(), .. Loss.Validate(),
        .. Noise.Validate(), .. Timesteps.Validate(), .. Samples?.Validate() ?? [],
        .. Savers.SelectMany(saver => saver.Validate().Concat(saver.Fits(this))), .. Observers.SelectMany(o => o.Validate()),
    ];

    private IEnumerable<OptionProblem> RoundingProblems()
    {
        if (Optimizer.StochasticRounding && Precision.Trainable != ScalarType.BFloat16)
            yield return new OptionProblem($"{Optimizer.GetType().Name}.{nameof(OptimizerOptions.StochasticRounding)}", true,
                $"weights are trained in {Precision.Trainable}, and only bfloat16 is rounded so",
                "leave it off, or use PrecisionPolicy.FullBFloat16");
    }

    private static bool IsRate(double rate) => rate >= 0 && double.IsFinite(rate);
}
