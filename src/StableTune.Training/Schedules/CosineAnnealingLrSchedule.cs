namespace StableTune.Schedules;

/// <summary>The learning rate swings between its full height and a least rate, along a cosine (torch: <c>CosineAnnealingLR</c>).</summary>
/// <remarks>Loshchilov and Hutter, SGDR, arXiv:1608.03983, equation 5.</remarks>
public sealed record CosineAnnealingLrScheduleOptions : LrScheduleOptions
{
    /// <summary>Steps of one way down (<c>T_max</c>). Must be set.</summary>
    public int? TMax { get; init; }

    /// <summary>The least rate, of all groups (<c>eta_min</c>). Default 0.</summary>
    public double EtaMin { get; init; }

    /// <inheritdoc/>
    public override string Name => "CosineAnnealingLR";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (TMax is not >= 1) yield return Problem(TMax, "a way down has at least one step, which must be said", "give the run's length");
        if (!(EtaMin >= 0 && double.IsFinite(EtaMin))) yield return Problem(EtaMin, "the least rate must not be negative", "use 0");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        double length = TMax ?? throw new InvalidOptionsException([.. Validate()]);
        return new RateBand(EtaMin, step => CosineScheduleOptions.At(0.5, step / length));
    }
}

/// <summary>Rates between a least one and the initial one: min + (initial - min) · height.</summary>
internal sealed class RateBand(double min, Func<int, double> height) : ILrSchedule
{
    public double Factor(int step) => height(step);

    public double Rate(int step, double initialRate) => min + ((initialRate - min) * height(step));
}
