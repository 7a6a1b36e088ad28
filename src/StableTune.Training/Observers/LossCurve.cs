using StableTune.Imaging;
using StableTune.Training;

namespace StableTune;

/// <summary>Draws the loss of every step and its smoothed form as a PNG picture, when the run ends, well or not.</summary>
/// <param name="path">The picture.</param>
public sealed class LossCurve(string path) : ITrainingObserver
{
    private readonly List<(double Step, double Loss)> _points = [];

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(path, out var reason))
            yield return new OptionProblem($"{nameof(LossCurve)}.path", path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start) => _points.Clear();

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _points.Add((progress.Step, progress.Loss));
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end) => ImageFile.SavePng(path, LineChart.Draw(_points, new LineChartOptions { Title = "Loss" }));
}
