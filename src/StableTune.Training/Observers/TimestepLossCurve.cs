using StableTune.Training;

namespace StableTune;

/// <summary>Draws the mean loss by timestep over the whole run (<see cref="TrainingProgress.LossByTimestep"/>), as a PNG picture, when
/// the run ends, well or not.</summary>
/// <param name="path">The picture.</param>
public sealed class TimestepLossCurve(string path) : ITrainingObserver
{
    private TimestepHistogram? _histogram;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(path, out var reason))
            yield return new OptionProblem(
                $"{nameof(TimestepLossCurve)}.path", path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start) => _histogram = null;

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _histogram = progress.LossByTimestep;
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        var picture = TimestepChart.ToPng(_histogram);
        AtomicFile.Write(path, stream => stream.Write(picture));
    }
}
