using StableTune.Models;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>What a trainable attaches to.</summary>
public sealed record TrainingSetup
{
    /// <summary>The model; it stays the run's.</summary>
    public required StableDiffusionModel Model { get; init; }

    /// <summary>The random streams of the run; <see cref="TrainingRandom.Initialization"/> is the one for initial weights.</summary>
    public required TrainingRandom Random { get; init; }

    /// <summary>Number formats.</summary>
    public required PrecisionPolicy Precision { get; init; }

    /// <summary>The options of the run.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>The stages of the step: a trainable adds its own.</summary>
    public required StageList Stages { get; init; }
}

/// <summary>The stages that are added to those which every step has, in the order in which they run.</summary>
public sealed class StageList
{
    /// <summary>What changes captions before they are encoded.</summary>
    public IList<ICaptionStage> Captions { get; } = [];

    /// <summary>What the network is told besides the text.</summary>
    public IList<IConditionStage> Conditions { get; } = [];

    /// <summary>What the network is told besides the text when samples are drawn.</summary>
    public IList<ISampleStage> Samples { get; } = [];

    /// <summary>What changes the target of the prediction.</summary>
    public IList<ITargetStage> Targets { get; } = [];
}
