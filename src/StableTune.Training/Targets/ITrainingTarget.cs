using StableTune.Models;
using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>Something that is trained: attaches to the model and gives parameters.</summary>
public interface ITrainingTarget : IDisposable
{
    /// <summary>What it is called in messages: "LoRA" ...</summary>
    string Name { get; }

    /// <summary>Puts itself into the model. The model's own weights are frozen by then.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="random">The stream for initial weights.</param>
    void Attach(StableDiffusionModel model, Generator random);

    /// <summary>What it trains, once attached. Names are unique in the run.</summary>
    IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>Called before each batch: the time to draw what dropouts do in its forward and backward pass.</summary>
    /// <param name="random">The stream of the dropouts.</param>
    void BeginBatch(Generator random) { }

    /// <summary>Switches between training (dropouts act) and use (samples are drawn).</summary>
    void SetTraining(bool training) { }

    /// <summary>Sets how strongly what is trained acts in the passes to come: 1 as it is, 0 not at all, -1 the opposite.</summary>
    /// <param name="multiplier">The factor.</param>
    void SetMultiplier(double multiplier) { }
}
