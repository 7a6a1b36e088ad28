using StableTune.Training;

namespace StableTune;

/// <summary>
/// Draws the loss of every step, pale, and its smoothed form, strong, and below them the learning rates, as a PNG picture, when the run
/// ends, well or not.
/// </summary>
/// <param name="path">The picture.</param>
public sealed class LossCurve(string path) : ITrainingObserver, IResumable
{
    private TrainingChart _chart = new();

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(path, out var reason))
            yield return new OptionProblem($"{nameof(LossCurve)}.path", path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.ResumedAt is null) _chart = new TrainingChart();
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _chart.Add(progress);
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        var picture = _chart.ToPng();
        AtomicFile.Write(path, stream => stream.Write(picture));
    }

    string IResumable.Name => nameof(LossCurve);

    void IResumable.Save(StateWriter writer) => _chart.Save(writer);

    void IResumable.Load(StateReader reader)
    {
        _chart = new TrainingChart();
        _chart.Load(reader);
    }
}
