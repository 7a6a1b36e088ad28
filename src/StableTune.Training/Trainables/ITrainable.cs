using StableTune.Formats;
using StableTune.Data;
using StableTune.Optimizers;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>Something that is trained, or applied without being trained: attaches to the model, gives parameters, is saved and
/// resumed.</summary>
public interface ITrainable : IResumable, IDisposable
{
    /// <summary>Puts itself into the model, whose own weights are frozen by then, and adds stages to the step where it needs
    /// some.</summary>
    /// <param name="setup">The model, the random streams and the stages of the run.</param>
    void Attach(TrainingSetup setup);

    /// <summary>What the optimizer steps, once attached: parameters with their rates. Names are unique in the run. Empty where it is
    /// applied without being trained.</summary>
    IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>
    /// Tensors that get gradients which count when gradients are clipped by their norm, but that no optimizer steps: the rows of an
    /// embedding that stay as they are. Their
    /// gradients are dropped after each step. Default none.
    /// </summary>
    IReadOnlyList<Tensor> ClippedAlong => [];

    /// <summary>Whether <see cref="SetMultiplier"/> can leave it out: false for what changes the model's own weights. Default
    /// true.</summary>
    bool CanBeLeftOut => true;

    /// <summary>What is odd about it but works, a sentence or two each; told when the run starts.</summary>
    IEnumerable<string> Warnings => [];

    /// <summary>
    /// Numbers of the last step that logs and progress show, by names like <c>max_norm/keys_scaled</c>; none by default.
    /// </summary>
    IReadOnlyDictionary<string, double> Metrics => new Dictionary<string, double>();

    /// <summary>Called before each batch: the time to draw what dropouts do in its forward and backward pass. What is trained stays as it
    /// is where <see cref="IResumable.TensorsLastUntilUpdate"/> says so.</summary>
    void BeforeBatch(BatchMoment moment) { }

    /// <summary>Called when the gradients of a step are complete, before they are clipped; with <see cref="FusedBackwardOptions"/> most
    /// have been used and freed by then. In float16 they are still multiplied by the scale of the loss.</summary>
    void AfterBackward(StepMoment moment) { }

    /// <summary>Called after each update: limits on norms, averages, an end to training a part.</summary>
    void AfterStep(StepMoment moment) { }

    /// <summary>Switches between training (dropouts act) and use (samples are drawn).</summary>
    void SetTraining(bool training) { }

    /// <summary>Sets how strongly it acts in the passes to come: 1 as it is, 0 not at all, -1 the opposite. What cannot be left out stays
    /// as it is.</summary>
    /// <param name="multiplier">The factor.</param>
    void SetMultiplier(double multiplier) { }

    /// <summary>Writes its customary file, complete or not at all.</summary>
    /// <param name="request">Where to, and what the file says of the run.</param>
    /// <returns>The files that were written.</returns>
    /// <exception cref="IOException">Something cannot be written.</exception>
    IReadOnlyList<string> Save(SaveRequest request);

    /// <summary>Takes what <see cref="Save"/> would write now, so that it can be written while training goes on
    /// (<see cref="SaveOptions.InBackground"/>). Null, the default, where it must be written at once: then <see cref="Save"/> is
    /// called.</summary>
    /// <param name="request">Where to, and what the file says of the run.</param>
    /// <param name="copies">Takes the copies, and says when they are too many; they live until the file is written.</param>
    /// <returns>Writes the file, on another thread, and gives the files that were written. Must not touch what is trained.</returns>
    Func<IReadOnlyList<string>>? Prepare(SaveRequest request, PayloadCopies copies) => null;
}

/// <summary>What a trainable is told before each batch.</summary>
/// <param name="Batch">The batch; its tensors stay the run's.</param>
/// <param name="Random">The random streams of the run.</param>
public readonly record struct BatchMoment(Data.Batch Batch, TrainingRandom Random);

/// <summary>What a trainable is told around an update.</summary>
/// <param name="Step">Optimizer steps done before this one.</param>
/// <param name="TotalSteps">Optimizer steps of the run.</param>
public readonly record struct StepMoment(int Step, int TotalSteps);

/// <summary>What a trainable is given to write its file.</summary>
public sealed record SaveRequest
{
    /// <summary>The file or folder.</summary>
    public required string Path { get; init; }

    /// <summary>The path of the last file, without the numbers of steps and epochs: it gives the result its name.</summary>
    public required string FinalPath { get; init; }

    /// <summary>The type of the saved numbers; null for the type that is customary for the run's precision.</summary>
    public ScalarType? Type { get; init; }

    /// <summary>Whether the run is described in the file, where the file has a place for it; false writes only what readers need.</summary>
    public bool WriteMetadata { get; init; } = true;

    /// <summary>Whether names of folders and tags of captions are written.</summary>
    public bool WriteDataNames { get; init; } = true;

    /// <summary>When and why it is saved, and what is known of the run.</summary>
    public required SaveMoment Moment { get; init; }

    /// <summary>The type of the saved numbers: <see cref="Type"/>, or the type that the run computes in.</summary>
    public ScalarType EffectiveType => Type ?? Moment.Plan.Precision.Compute;

    /// <summary>What gives the one file of the request when it has been written; null for null.</summary>
    internal Func<IReadOnlyList<string>>? Written(Action? write)
    {
        if (write is null) return null;
        return () =>
        {
            write();
            return [Path];
        };
    }
}
