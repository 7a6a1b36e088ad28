using StableTune.Data;
using StableTune.Models;
using StableTune.Schedules;

namespace StableTune.Trainables;

/// <summary>
/// Options of something that is trained: adapters, the model's own weights, an embedding. Creates it for a run. A new kind is a record
/// derived from this one and an
/// <see cref="ITrainable"/>; nothing else needs to know of it.
/// </summary>
public abstract record TrainableOptions : OptionsBase
{
    /// <summary>What it is called: in the path of its file (<c>{name}</c>), in messages, in states. Unique in a run. Null, the default,
    /// for <see cref="DefaultName"/>.</summary>
    public string? Name { get; init; }

    /// <summary>Whether it is trained. False applies it as it is, to what else is trained. Default true.</summary>
    public bool Trained { get; init; } = true;

    /// <summary>Its own schedule of the learning rate; null, the default, for the run's (<see cref="TrainingPlan.Schedule"/>).</summary>
    public LrScheduleOptions? Schedule { get; init; }

    /// <summary>The name of the kind: "lora", "unet" ...</summary>
    public abstract string DefaultName { get; }

    /// <summary>The name in this run.</summary>
    public string EffectiveName => Name ?? DefaultName;

    /// <summary>
    /// Whether the text encoder gives other states after each step: captions are then encoded in every step, with gradients, and its
    /// outputs cannot be cached. Default false.
    /// </summary>
    /// <param name="plan">The options of the run.</param>
    public virtual bool TrainsTextEncoder(TrainingPlan plan) => false;

    /// <summary>
    /// Whether it changes what the text encoder gives, trained or not: cached outputs of another run must then not be used. Default as
    /// <see cref="TrainsTextEncoder"/>.
    /// </summary>
    /// <param name="plan">The options of the run.</param>
    public virtual bool ChangesTextEncoder(TrainingPlan plan) => TrainsTextEncoder(plan);

    /// <summary>The parts of the model that must stay to the end, because this is saved with them or uses them. Default none: the run
    /// decides by itself what a step needs.</summary>
    public virtual ModelParts KeptParts => ModelParts.None;

    /// <summary>
    /// The parts of the model through which it acts: a method that runs none of them refuses it, because it would learn nothing. Default
    /// all, for what is not known.
    /// </summary>
    public virtual ModelParts ActsThrough => ModelParts.All;

    /// <summary>The file endings that <see cref="ITrainable.Save"/> can write, the usual one first; empty where the path is a folder or
    /// anything.</summary>
    public virtual IReadOnlyList<string> FileExtensions => [];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Name is { } name && (name.Length == 0 || name.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0 || name is "." or ".."))
            yield return Problem(Name, "it becomes a part of file names", "use letters, digits, - and _");
    }

    /// <summary>What is wrong with it in this plan, whatever the model.</summary>
    /// <param name="plan">The options of the run.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan) => [];

    /// <summary>What is wrong with it for this model, told by <c>Build()</c> where the model is on this disk. Reads no weights.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="model">What the model's configuration says.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan, StableTune.Checkpoints.ModelConfiguration model) => [];

    /// <summary>What is wrong with it for these images, told by <c>Build()</c>. Reads no pixels.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="dataset">The images and their captions.</param>
    public virtual IEnumerable<OptionProblem> Fits(TrainingPlan plan, StableTune.Data.TrainingDataset dataset) => [];

    /// <summary>What is odd about it with these images but works, a sentence or two each; told when the run starts.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="dataset">The images and their captions.</param>
    public virtual IEnumerable<string> Warnings(TrainingPlan plan, StableTune.Data.TrainingDataset dataset) => [];

    /// <summary>The shapes of the tensors that it trains, for an estimate of memory. Default null: not known.</summary>
    /// <param name="plan">The options of the run.</param>
    /// <param name="model">The model; its weights are not looked at, and may lie on <c>META</c>.</param>
    public virtual IEnumerable<long[]>? TrainedShapes(TrainingPlan plan, StableDiffusionModel model) => null;

    /// <summary>Whether it looks at the control pictures of samples (<see cref="TextToImageOptions.ControlImage"/>). Default
    /// false.</summary>
    public virtual bool TakesControlImages => false;

    /// <summary>Creates it; the run attaches it to the model, and disposes of it.</summary>
    /// <param name="plan">The options of the run, for instance its learning rates.</param>
    public abstract ITrainable Create(TrainingPlan plan);
}
