using System.Collections.Immutable;
using StableTune.Checkpoints;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>
/// Teaches an adapter a direction between prompts, without images (LECO, "sliders"): it erases a concept, or makes it stronger. The model
/// draws a picture part of the way, says what it predicts for a few prompts without the adapter, and the adapter learns to predict a
/// combination of these.
/// </summary>
/// <remarks>Gandikota et al., Erasing concepts from diffusion models, arXiv:2303.07345, and Concept sliders, arXiv:2311.12092.</remarks>
public sealed record LecoOptions : TrainingMethodOptions
{
    /// <summary>What is learnt; each sample of a batch is of one of these, drawn at random.</summary>
    public ImmutableList<LecoPair> Pairs { get; init; } = [];

    /// <summary>The size of the pictures that the model begins to draw. Default 512x512.</summary>
    public PixelSize Resolution { get; init; } = new(512, 512);

    /// <summary>Pictures in a batch; all of one pair and at one point of the way. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Steps of the whole way from noise to picture; a step is trained after 0 to all but one of them. Default 50.</summary>
    public int MaxDenoisingSteps { get; init; } = 50;

    /// <summary>How strongly the target's prompt is followed on that way; 1 or less is not guided. Default 3.</summary>
    public double DenoisingGuidance { get; init; } = 3;

    /// <summary>The sampler of that way; null, the default, for the one that the model was published with.</summary>
    public ISampler? Sampler { get; init; }

    /// <inheritdoc/>
    public override MethodNeeds Needs => MethodNeeds.UNet | MethodNeeds.TextEncoder;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Pairs.Count == 0)
            yield return Problem(Pairs, "there is no prompt to learn from", "give one or more LecoPair with a Target", nameof(Pairs));
        for (var i = 0; i < Pairs.Count; i++)
            foreach (var problem in Pairs[i].Validate())
                yield return problem with { Option = $"{nameof(LecoOptions)}.{nameof(Pairs)}[{i}].{problem.Option.Split('.')[^1]}" };
        foreach (var (side, name) in new[] { (Resolution.Width, nameof(PixelSize.Width)), (Resolution.Height, nameof(PixelSize.Height)) })
            if (side < TextToImageOptions.SizeMultiple || side % TextToImageOptions.SizeMultiple != 0)
                yield return Problem(side, $"sides must be positive multiples of {TextToImageOptions.SizeMultiple}",
                    "512 is customary, 1024 for SDXL", $"{nameof(Resolution)}.{name}");
        if (BatchSize < 1) yield return Problem(BatchSize, "a batch holds at least one picture", "1 is customary");
        if (MaxDenoisingSteps is < 1 or > 1000)
            yield return Problem(MaxDenoisingSteps, "there must be 1 to 1000 steps", "30 to 50 are customary");
        if (!double.IsFinite(DenoisingGuidance))
            yield return Problem(DenoisingGuidance, "the guidance must be a finite number", "3 is customary, 1 switches it off");
        foreach (var problem in (Sampler as OptionsBase)?.Validate() ?? []) yield return problem;
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Trainables.OfType<ModelTrainableOptions>().FirstOrDefault() is { } whole) yield return NotLeftOut(whole.EffectiveName);
        if (plan.GivenModel is not { } model) yield break;
        if (!model.Parts.HasFlag(ModelParts.TextEncoder))
            yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.GivenModel)}", null,
                "the model that was given has no text encoder, which LECO's prompts need", "load it with ModelParts.TextEncoder");
        foreach (var problem in Fits(model)) yield return problem;
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, ModelConfiguration model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Fits(model.Details.Kind, model.Details.InChannels, model.Scheduler.TrainTimesteps);
    }

    /// <inheritdoc/>
    public override ITrainingMethod Create(MethodSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var problems = Fits(setup.Model).ToList();
        if (setup.Trainables.FirstOrDefault(trainable => !trainable.CanBeLeftOut) is { } whole) problems.Add(NotLeftOut(whole.Name));
        InvalidOptionsException.ThrowIfAny(problems);
        return new Leco(this, setup);
    }

    private IEnumerable<OptionProblem> Fits(StableDiffusionModel model) => !model.Parts.HasFlag(ModelParts.UNet) ? []
        : Fits(model.UNet.Options.InChannels == model.UNet.Options.OutChannels ? ModelKind.TextToImage : ModelKind.Other,
            model.UNet.Options.InChannels, model.Scheduler.TrainTimesteps);

    private IEnumerable<OptionProblem> Fits(ModelKind kind, int channels, int timesteps)
    {
        if (kind != ModelKind.TextToImage)
            yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.Method)}", nameof(LecoOptions),
                $"the model's UNet takes {channels} channels, and without images there is nothing to fill them with",
                "use a model for text to image (4 channels)");
        if (MaxDenoisingSteps > timesteps)
            yield return Problem(MaxDenoisingSteps, $"the model was trained with {timesteps} timesteps", "take at most as many steps");
    }

    private static OptionProblem NotLeftOut(string name) =>
        new($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.Trainables)}", name,
            "LECO compares the model with and without what is trained, which cannot be left out here", "train an adapter: WithLoRA(rank)");
}

/// <summary>What LECO does with a concept.</summary>
public enum LecoAction
{
    /// <summary>Takes it away: the prediction moves from the positive prompt towards the negative one.</summary>
    Erase,

    /// <summary>Makes it stronger: the prediction moves from the negative prompt towards the positive one.</summary>
    Enhance,
}

/// <summary>
/// Prompts of which one direction is learnt: for <see cref="Target"/> the adapter learns to predict what the model without it predicts for
/// <see cref="Neutral"/>, plus or minus <see cref="Guidance"/> times the difference between <see cref="Positive"/> and
/// <see cref="Negative"/>.
/// </summary>
public sealed record LecoPair : OptionsBase
{
    /// <summary>The prompt for which the adapter learns to act.</summary>
    public string Target { get; init; } = "";

    /// <summary>What is erased or made stronger; null, the default, for <see cref="Target"/>.</summary>
    public string? Positive { get; init; }

    /// <summary>Its opposite. Default the empty prompt.</summary>
    public string Negative { get; init; } = "";

    /// <summary>What the prediction starts from; null, the default, for <see cref="Negative"/>. Give <see cref="Target"/> here for a slider
    /// that keeps the rest of the picture.</summary>
    public string? Neutral { get; init; }

    /// <summary>How far the prediction moves. Default 1.</summary>
    public double Guidance { get; init; } = 1;

    /// <summary>The direction. Default <see cref="LecoAction.Erase"/>.</summary>
    public LecoAction Action { get; init; } = LecoAction.Erase;

    /// <summary>A factor of this pair's loss. Default 1.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>The factor of the difference: guidance with the sign of the direction.</summary>
    internal double Factor => Action == LecoAction.Erase ? -Guidance : Guidance;

    /// <summary>Target, positive, negative, neutral.</summary>
    internal string[] Prompts => [Target, Positive ?? Target, Negative, Neutral ?? Negative];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (string.IsNullOrWhiteSpace(Target))
            yield return Problem(Target, "a prompt is required", "name the concept, for instance \"van gogh\"");
        if (Negative is null) yield return Problem(Negative, "a prompt is required", "give an empty text for none");
        else if ((Positive ?? Target) == Negative)
            yield return Problem(Positive ?? Target, "positive and negative prompt are the same, so there is no direction between them",
                "give another Negative", nameof(Positive));
        if (!(double.IsFinite(Guidance) && Guidance > 0))
            yield return Problem(Guidance, "the guidance must be positive", "1 to 4 is customary; the direction is LecoPair.Action");
        if (!Enum.IsDefined(Action))
            yield return Problem(Action, "there is no such direction", "use LecoAction.Erase or LecoAction.Enhance");
        if (!(double.IsFinite(Weight) && Weight > 0)) yield return Problem(Weight, "the weight must be positive", "1 is customary");
    }
}
