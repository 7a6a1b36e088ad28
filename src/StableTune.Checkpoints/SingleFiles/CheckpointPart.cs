using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>One part of a single-file checkpoint.</summary>
/// <typeparam name="TOptions">The architecture's record.</typeparam>
/// <param name="Options">The architecture.</param>
/// <param name="Layout">Its names in the file.</param>
/// <param name="Weights">Its tensors under diffusers' names and shapes, read straight from the file; of use as long as the checkpoint is
/// open.</param>
public sealed record CheckpointPart<TOptions>(TOptions Options, KeyMap Layout, ITensorFile Weights) where TOptions : OptionsBase;
