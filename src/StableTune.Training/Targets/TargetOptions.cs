using StableTune.Training;

namespace StableTune;

/// <summary>Options of something that is trained beside adapters or in their place: weights of the model itself, an embedding. Creates it for a run.</summary>
public abstract record TargetOptions : OptionsBase
{
    /// <summary>
    /// Whether the text encoder gives other states after each step: captions are then encoded in every step, with gradients, and its outputs cannot be cached.
    /// Default false.
    /// </summary>
    public virtual bool TrainsTextEncoder => false;

    /// <summary>Creates it; the run attaches it to the model, and disposes of it.</summary>
    /// <param name="plan">The options of the run, for instance its learning rates.</param>
    public abstract ITrainingTarget Create(TrainingPlan plan);
}
