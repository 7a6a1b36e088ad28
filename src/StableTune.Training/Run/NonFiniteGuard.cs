namespace StableTune.Training;

/// <summary>Looks at the numbers of a step that was not taken because they are not finite: whether the run goes on, and how many there
/// were.</summary>
internal sealed class NonFiniteGuard(NonFiniteOptions options, LossScalingOptions? scaling)
{
    private const string Key = "skipped_steps", InARowKey = "skipped_in_a_row";

    private int _inARow;

    /// <summary>Steps that changed nothing.</summary>
    public int Skipped { get; private set; }

    /// <summary>Takes in the numbers of a step.</summary>
    /// <param name="step">The step, with its numbers.</param>
    /// <param name="lastState">The folder of the last state; null where there is none.</param>
    /// <returns>Whether the step was taken.</returns>
    /// <exception cref="TrainingDivergedException">They are not finite, and the run does not go on.</exception>
    public bool Take(LaunchedStep step, string? lastState)
    {
        var loss = step.Losses.FirstOrDefault(value => !double.IsFinite(value), 0);
        if (double.IsFinite(loss) && double.IsFinite(step.Norm))
        {
            _inARow = 0;
            return true;
        }

        // With a smaller scale the next step may well be finite.
        if (double.IsFinite(loss) && scaling is not null && step.Scale > scaling.Least)
        {
            Skipped++;
            return false;
        }

        var fault = new TrainingDivergedException(
            double.IsFinite(loss) ? "norm of the gradients" : "loss", double.IsFinite(loss) ? step.Norm : loss, step.Images)
        {
            Step = step.After.Step, LastState = lastState, SkippedBefore = options.Skip ? _inARow : 0, PartWasStepped = step.PartWasStepped,
        };
        if (!options.Skip || _inARow >= options.MostInARow) throw fault;
        _inARow++;
        Skipped++;
        return false;
    }

    /// <summary>What progress and logs tell: the scale, and the steps that were left out where some may be.</summary>
    public IEnumerable<KeyValuePair<string, double>> Metrics(double scale)
    {
        if (scaling is not null && double.IsFinite(scale)) yield return new("loss_scale", scale);
        if (scaling is not null || options.Skip) yield return new(Key, Skipped);
    }

    public void Save(StateWriter writer)
    {
        writer.Number(Key, (long)Skipped);
        writer.Number(InARowKey, (long)_inARow);
    }

    public void Load(StateReader reader)
    {
        if (!reader.Has(Key)) return;                                        // written before steps were left out
        (Skipped, _inARow) = ((int)reader.Long(Key), (int)reader.Long(InARowKey));
    }
}
