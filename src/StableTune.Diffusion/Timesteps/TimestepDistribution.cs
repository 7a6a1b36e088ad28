using StableTune.Diffusion;

namespace StableTune;

/// <summary>
/// Timesteps that are not equally likely: 1000 times a number x of [0, 1) of some distribution, rounded down, where high ones are those of
/// much noise. Within a range of timesteps the distribution keeps its shape. One even random number is drawn for each sample. A new kind is
/// a record that says how likely numbers up to x are.
/// </summary>
public abstract record TimestepDistribution : OptionsBase, ITimestepSource
{
    /// <summary>The timesteps of Stable Diffusion.</summary>
    internal const int Count = 1000;

    /// <summary>Below this the numbers in use are too rough.</summary>
    private const double LeastLikely = 1e-6;

    /// <summary>The first timestep, included. Default 0.</summary>
    public int Min { get; init; }

    /// <summary>The end of the range, excluded. Default 1000, all timesteps of Stable Diffusion.</summary>
    public int Max { get; init; } = Count;

    (int Min, int Max)? ITimestepSource.Range => (Min, Max);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        var before = ParameterProblems().ToList();
        foreach (var problem in before) yield return problem;
        if (Min < 0) yield return Problem(Min, "timesteps start at 0", "give 0 or more");
        else if (Max <= Min || Max > Count)
            yield return Problem(Max, $"the end of the range, which is excluded, must lie above Min ({Min}), and not above {Count}",
                "give 1000 for all timesteps");
        else if (before.Count == 0 && !(Up(Max) - Up(Min) > LeastLikely))
            yield return Problem(Max, $"timesteps from {Min} to below {Max} are next to never drawn from this distribution",
                "widen the range, or change the distribution");
    }

    /// <inheritdoc/>
    public Tensor Draw(int count, Generator generator)
    {
        ArgumentNullException.ThrowIfNull(generator);
        using var scope = NewDisposeScope();
        var even = rand([count], dtype: ScalarType.Float64, device: generator.device, generator: generator).cpu().data<double>().ToArray();
        long[] timesteps = [.. even.Select(Timestep)];
        return tensor(timesteps, [count], dtype: ScalarType.Int64).to(generator.device).MoveToOuterDisposeScope();
    }

    /// <summary>What is wrong with the parameters of the distribution. Default nothing.</summary>
    protected virtual IEnumerable<OptionProblem> ParameterProblems() => [];

    /// <summary>The probability of numbers up to x; it need not be 1 at the end, but must not fall.</summary>
    /// <param name="x">A number of [0, 1].</param>
    protected abstract double Cumulative(double x);

    /// <summary>The timestep below which this part of the range's probability lies.</summary>
    private long Timestep(double part)
    {
        var (first, last) = (Up(Min), Up(Max));
        var wanted = first + (part * (last - first));
        var (low, high) = (Min, Max - 1);                                    // the least t with Up(t + 1) above what is wanted
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Up(middle + 1) > wanted) high = middle;
            else low = middle + 1;
        }

        return low;
    }

    private double Up(int timestep) => Cumulative((double)timestep / Count);
}
