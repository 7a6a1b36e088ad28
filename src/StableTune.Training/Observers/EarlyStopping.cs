using StableTune.Training;

namespace StableTune;

/// <summary>Ends a run when the loss on held-out images has not fallen for a while. Needs images that are held out.</summary>
/// <param name="control">Ends the run; the one that the run was given (<c>WithControl</c>).</param>
/// <param name="patience">Validations without a lower loss before the run ends, at least 1.</param>
public sealed class EarlyStopping(TrainingControl control, int patience) : ITrainingObserver, IResumable
{
    private double _least = double.PositiveInfinity;
    private int _since;

    /// <summary>A loss counts as lower when it is so much lower, not negative. Default 0.</summary>
    public double LeastFall { get; init; }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (patience < 1)
            yield return new OptionProblem(
                $"{nameof(EarlyStopping)}.patience", patience, "at least one validation is waited for", "give 3");
        if (!(LeastFall >= 0 && double.IsFinite(LeastFall)))
            yield return new OptionProblem(
                $"{nameof(EarlyStopping)}.{nameof(LeastFall)}", LeastFall, "it must not be negative", "0 takes any lower loss");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.ResumedAt is null) (_least, _since) = (double.PositiveInfinity, 0);
    }

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        if (validation.Loss < _least - LeastFall) (_least, _since) = (validation.Loss, 0);
        else if (++_since >= patience) control.Stop();
    }

    string IResumable.Name => nameof(EarlyStopping);

    void IResumable.Save(StateWriter writer)
    {
        writer.Number("least", _least);
        writer.Number("since", (long)_since);
    }

    void IResumable.Load(StateReader reader) => (_least, _since) = (reader.Double("least"), (int)reader.Long("since"));
}
