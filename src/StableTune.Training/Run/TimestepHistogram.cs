using StableTune.Training;

namespace StableTune;

/// <summary>The mean loss of the samples of a run by timestep: where the model still errs. Timesteps are gathered in ranges of one
/// width.</summary>
public sealed class TimestepHistogram
{
    internal TimestepHistogram(IReadOnlyList<TimestepBin> bins) => Bins = bins;

    /// <summary>The ranges, from little noise to much; some may be empty.</summary>
    public IReadOnlyList<TimestepBin> Bins { get; }

    /// <summary>How many samples there were.</summary>
    public long Count => Bins.Sum(bin => bin.Count);
}

/// <summary>The losses of a range of timesteps.</summary>
/// <param name="From">The first timestep of the range.</param>
/// <param name="To">The end of the range, excluded.</param>
/// <param name="Count">How many samples had a timestep of it.</param>
/// <param name="MeanLoss">The mean of their losses; NaN for none.</param>
public readonly record struct TimestepBin(int From, int To, long Count, double MeanLoss);

/// <summary>A sample that a step was computed from.</summary>
/// <param name="Image">The picture; empty for a method without pictures.</param>
/// <param name="Timestep">Its timestep.</param>
/// <param name="Loss">Its loss, weighted as it counts.</param>
public readonly record struct SampleLoss(string Image, int Timestep, double Loss);
