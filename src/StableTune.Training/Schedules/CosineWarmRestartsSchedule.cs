namespace StableTune.Schedules;

/// <summary>The learning rate falls along half a cosine, again and again, each time for longer (torch:
/// <c>CosineAnnealingWarmRestarts</c>).</summary>
/// <remarks>Loshchilov and Hutter, SGDR, arXiv:1608.03983, equation 5.</remarks>
public sealed record CosineWarmRestartsScheduleOptions : LrScheduleOptions
{
    /// <summary>Steps of the first fall (<c>T_0</c>). Must be set.</summary>
    public int? T0 { get; init; }

    /// <summary>How much longer each fall is than the one before (<c>T_mult</c>), 1 or more. Default 1.</summary>
    public int TMult { get; init; } = 1;

    /// <summary>The least rate, of all groups (<c>eta_min</c>). Default 0.</summary>
    public double EtaMin { get; init; }

    /// <inheritdoc/>
    public override string Name => "CosineAnnealingWarmRestarts";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (T0 is not >= 1) yield return Problem(T0, "the first fall has at least one step, which must be said", "give 500");
        if (TMult < 1) yield return Problem(TMult, "each fall is at least as long as the one before", "1 has equal ones, 2 doubles");
        if (!(EtaMin >= 0 && double.IsFinite(EtaMin))) yield return Problem(EtaMin, "the least rate must not be negative", "use 0");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var first = T0 ?? throw new InvalidOptionsException([.. Validate()]);
        return new RateBand(EtaMin, step =>
        {
            var (begin, length) = (0L, (long)first);
            if (TMult == 1) begin = step / length * length;
            else
                for (; step >= begin + length; length *= TMult) begin += length;
            return CosineScheduleOptions.At(0.5, (step - begin) / (double)length);
        });
    }
}
