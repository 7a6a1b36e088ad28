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
        if (!AtomicFile.CanWriteInto(Path.GetDirectoryName(Path.GetFullPath(path))!, out var reason))
            yield return new OptionProblem($"{nameof(LossCurve)}.path", path, $"the folder cannot be written to ({reason.TrimEnd('.')})", "choose another folder or mend its permissions");
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
