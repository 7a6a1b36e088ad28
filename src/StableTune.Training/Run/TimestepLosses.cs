namespace StableTune.Training;

/// <summary>Gathers the losses of samples by timestep over a run.</summary>
internal sealed class TimestepLosses
{
    private const int MostBins = 20;

    private double[] _sums = [];
    private long[] _counts = [];
    private int _timesteps;

    /// <summary>What was gathered; null before the first sample.</summary>
    public TimestepHistogram? Histogram => _timesteps == 0 ? null
        : new TimestepHistogram([.. _sums.Select((sum, i) => new TimestepBin(Begin(i), Begin(i + 1), _counts[i], sum / _counts[i]))]);

    /// <summary>Takes in the samples of a step.</summary>
    /// <returns>Them, in their order.</returns>
    public IReadOnlyList<SampleLoss> Take(IEnumerable<SampleReading> batches)
    {
        var all = new List<SampleLoss>();
        foreach (var batch in batches)
            foreach (var sample in batch.Read())
            {
                Add(sample.Timestep, sample.Loss, batch.TimestepCount);
                all.Add(sample);
            }

        return all;
    }

    /// <summary>Takes in a sample.</summary>
    /// <param name="timestep">Its timestep.</param>
    /// <param name="loss">Its loss.</param>
    /// <param name="timesteps">The timesteps that there are, at least 1; the same each time.</param>
    public void Add(int timestep, double loss, int timesteps)
    {
        if (_timesteps == 0) Begin(timesteps, Math.Min(MostBins, timesteps));
        var bin = (int)((long)timestep * _sums.Length / _timesteps);
        _sums[bin] += loss;
        _counts[bin]++;
    }

    public void Save(StateWriter writer)
    {
        writer.Number("timesteps", (long)_timesteps);
        writer.Numbers("sums", _sums);
        writer.Numbers("counts", _counts.Select(count => (double)count));
    }

    public void Load(StateReader reader)
    {
        if (!reader.Has("timesteps")) return;                                // of before losses were gathered
        var (sums, counts) = (reader.Doubles("sums"), reader.Doubles("counts"));
        _timesteps = (int)reader.Long("timesteps");
        if (sums.Count != counts.Count || sums.Count != Math.Min(MostBins, _timesteps))
            throw reader.Fault($"the losses by timestep have {sums.Count} sums and {counts.Count} counts.");
        (_sums, _counts) = ([.. sums], [.. counts.Select(count => (long)count)]);
    }

    private void Begin(int timesteps, int bins) => (_timesteps, _sums, _counts) = (timesteps, new double[bins], new long[bins]);

    /// <summary>The first timestep of a bin: the least t with ⌊t · bins / timesteps⌋ = bin.</summary>
    private int Begin(int bin) => (int)((((long)bin * _timesteps) + _sums.Length - 1) / _sums.Length);
}
