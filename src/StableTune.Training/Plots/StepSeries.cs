namespace StableTune.Training;

/// <summary>A number measured at steps, in their order.</summary>
internal sealed class StepSeries
{
    private readonly List<double> _steps = [], _values = [];

    /// <summary>The steps, in order.</summary>
    public IReadOnlyList<double> Steps => _steps;

    /// <summary>The values at them.</summary>
    public IReadOnlyList<double> Values => _values;

    /// <summary>Notes a value; one that is not finite leaves a gap.</summary>
    public void Add(double step, double value)
    {
        _steps.Add(step);
        _values.Add(value);
    }

    public void Save(StateWriter writer, string name)
    {
        writer.Numbers(name + " steps", _steps);
        writer.Numbers(name + " values", _values);
    }

    public void Load(StateReader reader, string name)
    {
        _steps.AddRange(reader.Doubles(name + " steps"));
        _values.AddRange(reader.Doubles(name + " values"));
        if (_steps.Count != _values.Count) throw reader.Fault($"\"{name}\" has {_values.Count} values at {_steps.Count} steps.");
    }

    /// <summary>Whether the other has the same values at the same steps.</summary>
    public bool IsSame(StepSeries other) => _values.SequenceEqual(other._values) && _steps.SequenceEqual(other._steps);

    /// <summary>The exponential mean of what is finite, corrected for its start.</summary>
    /// <param name="keep">How much of the past it keeps, 0 to below 1.</param>
    public StepSeries Smoothed(double keep)
    {
        var (sum, weight, smoothed) = (0.0, 0.0, new StepSeries());
        for (var i = 0; i < _values.Count; i++)
        {
            if (!double.IsFinite(_values[i])) continue;
            sum = (keep * sum) + ((1 - keep) * _values[i]);
            weight = (keep * weight) + (1 - keep);                              // what a series of ones would have
            smoothed.Add(_steps[i], sum / weight);
        }

        return smoothed;
    }

    /// <summary>Stretches without a value that is not finite.</summary>
    public IEnumerable<(double[] Steps, double[] Values)> Runs()
    {
        for (var start = 0; start < _values.Count; start++)
        {
            var end = start;
            while (end < _values.Count && double.IsFinite(_values[end])) end++;
            if (end > start) yield return (_steps[start..end].ToArray(), _values[start..end].ToArray());
            start = end;
        }
    }
}
