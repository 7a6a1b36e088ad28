using System.Collections.Immutable;
using StableTune.Models;
using StableTune.Training;

namespace StableTune;

/// <summary>A host's own stages of a step, in the place of the usual ones. What is null stays as it is; stages that trainables add come
/// after these.</summary>
public sealed record StageOptions
{
    /// <summary>Gives a batch's latents; null for cached ones, or the VAE.</summary>
    public ILatentStage? Latents { get; init; }

    /// <summary>Gives a batch's text conditions; null for cached ones, or the text encoder.</summary>
    public IContextStage? Context { get; init; }

    /// <summary>What is done to captions before they are encoded, in each step; trainables add theirs after these. Default
    /// nothing.</summary>
    public ImmutableList<ICaptionStage> Captions { get; init; } = [];

    /// <summary>What the network is told besides the text; null for SDXL's sizes and an inpainting model's masks.</summary>
    public ImmutableList<IConditionStage>? Conditions { get; init; }

    /// <summary>What changes the target; null for outputs that are preserved.</summary>
    public ImmutableList<ITargetStage>? Targets { get; init; }

    /// <summary>The network that predicts; null for the model's UNet.</summary>
    public IDenoisingNetwork? Network { get; init; }
}
