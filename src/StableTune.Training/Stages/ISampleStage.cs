using StableTune.Models;

namespace StableTune.Training;

/// <summary>What an <see cref="IConditionStage"/> is to training, this is to the samples that are drawn meanwhile.</summary>
public interface ISampleStage
{
    /// <summary>What the network is told with this stage's share.</summary>
    /// <param name="pass">The prompt, with the conditions of the stages before.</param>
    /// <returns><see cref="SamplePass.Conditions"/> with more in it. New tensors are fresh ones, of the open dispose scope and on the
    /// model's device.</returns>
    UNetConditions Add(SamplePass pass);
}

/// <summary>A sample that is about to be drawn.</summary>
public sealed record SamplePass
{
    /// <summary>What is drawn, its size known.</summary>
    public required TextToImageOptions Prompt { get; init; }

    /// <summary>The place of the prompt among those of the run, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Conditions of the negative and the positive prompt, [2 + R, ...], with those of R regions behind; without the negative one,
    /// [1 + R, ...], where the drawing is not guided.</summary>
    public required UNetConditions Conditions { get; init; }

    /// <summary>Whether the negative prompt comes first in the conditions.</summary>
    public bool IsGuided => Prompt.GuidanceScale > 1;
}
