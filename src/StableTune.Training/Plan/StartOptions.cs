namespace StableTune;

/// <summary>
/// A run that begins with a later epoch or step, such as with weights that an earlier run saved: epochs and steps are counted from there,
/// and
/// the images of earlier batches are left out. Optimizer and schedule begin anew; <see cref="ResumeOptions"/> goes on with everything.
/// </summary>
public sealed record StartOptions : OptionsBase
{
    /// <summary>The first epoch, from 1 (<c>initial_epoch</c>). Default 1. Not looked at when <see cref="Step"/> is set.</summary>
    public int Epoch { get; init; } = 1;

    /// <summary>Steps that count as done (<c>initial_step</c>); null, the default, leaves it to <see cref="Epoch"/>.</summary>
    public int? Step { get; init; }

    /// <summary>
    /// Whether the run begins with the very batch that follows <see cref="Step"/> (<c>skip_until_initial_step</c>), or with the epoch that
    /// holds it. Default false.
    /// </summary>
    public bool SkipWithinEpoch { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Epoch < 1) yield return Problem(Epoch, "epochs are counted from 1", "leave it unset to begin with the first");
        if (Step is < 0)
            yield return Problem(Step, "the steps that are done must not be negative", "leave it unset to begin with the first");
    }

    /// <summary>Where the run begins.</summary>
    /// <param name="stepsPerEpoch">Optimizer steps in an epoch.</param>
    /// <param name="accumulation">Batches in a step.</param>
    internal Training.RunPosition Position(int stepsPerEpoch, int accumulation)
    {
        if (Step is not { } step) return new(Epoch - 1, 0, checked((Epoch - 1) * stepsPerEpoch));
        var (epochs, within) = (step / stepsPerEpoch, SkipWithinEpoch ? step % stepsPerEpoch : 0);
        return within == 0 ? new(epochs, 0, epochs * stepsPerEpoch) : new(epochs + 1, within * accumulation, step);
    }
}
