using System.Collections.Immutable;
using System.Globalization;

namespace StableTune.Schedules;

/// <summary>The learning rate has a factor up to a step, another up to a later one, and so on (diffusers and sd-scripts:
/// <c>piecewise_constant</c>).</summary>
public sealed record PiecewiseConstantScheduleOptions : LrScheduleOptions
{
    /// <summary>The factors (<c>step_rules</c>): <c>StepRules.Parse("1:10,0.1:20,0.01")</c> is 1 for ten steps, 0.1 up to step 20, then
    /// 0.01. Must be set.</summary>
    public StepRules? StepRules { get; init; }

    /// <inheritdoc/>
    public override string Name => "piecewise_constant";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (StepRules is null)
            yield return Problem(StepRules, "the schedule needs factors and steps", "use StepRules.Parse(\"1:10,0.1:20,0.01\")");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var rules = StepRules ?? throw new InvalidOptionsException([.. Validate()]);
        return new ScheduleCurve(rules.At);
    }
}

/// <summary>Factors with the steps up to which they hold, and the factor that holds after the last of them.</summary>
public sealed class StepRules : IEquatable<StepRules>
{
    private readonly ImmutableArray<(double Factor, int Until)> _rules;

    /// <summary>Factors, each up to a step.</summary>
    /// <param name="rules">A factor, not negative, and the first step for which it no longer holds; in any order.</param>
    /// <param name="last">The factor from there on.</param>
    /// <exception cref="FormatException">A factor is negative or no number, or a step is not positive.</exception>
    public StepRules(IEnumerable<(double Factor, int Until)> rules, double last)
    {
        _rules = [.. rules.OrderBy(rule => rule.Until)];
        Last = last;
        foreach (var factor in _rules.Select(rule => rule.Factor).Append(last))
            if (!(factor >= 0 && double.IsFinite(factor))) throw new FormatException($"{factor} is no factor: give 0 or more");
        foreach (var (_, until) in _rules)
            if (until < 1) throw new FormatException($"a factor holds up to step {until}, which is before the first step");
        if (_rules.Select(rule => rule.Until).Distinct().Count() < _rules.Length)
            throw new FormatException("two factors hold up to the same step");
    }

    /// <summary>The factor after the last step.</summary>
    public double Last { get; }

    /// <summary>The rules in the notation of diffusers: "1:10,0.1:20,0.01".</summary>
    /// <param name="text">Pairs of factor and step, and at the end the last factor alone.</param>
    /// <exception cref="FormatException">It is not written so.</exception>
    public static StepRules Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(',', StringSplitOptions.TrimEntries);
        FormatException Bad(string part) => new($"\"{ShortText.Of(text)}\" is no list of rules, because of \"{ShortText.Of(part)}\": write "
            + "factor:step pairs and a last factor, as in 1:10,0.1:20,0.01");
        double Number(string part, string of) =>
            double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw Bad(of);
        var rules = parts[..^1].Select(part => part.Split(':') is [var factor, var step]
            && int.TryParse(step, CultureInfo.InvariantCulture, out var until) ? (Number(factor, part), until) : throw Bad(part));
        return new StepRules([.. rules], Number(parts[^1], parts[^1]));
    }

    /// <summary>The factor for a step, counted from 0.</summary>
    public double At(int step)
    {
        foreach (var (factor, until) in _rules)
            if (step < until) return factor;
        return Last;
    }

    /// <inheritdoc/>
    public bool Equals(StepRules? other) => other is not null && Last.Equals(other.Last) && _rules.SequenceEqual(other._rules);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as StepRules);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Last, _rules.Length);

    /// <summary>The notation that <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Concat(_rules.Select(rule =>
        string.Create(CultureInfo.InvariantCulture, $"{rule.Factor}:{rule.Until},"))) + Last.ToString(CultureInfo.InvariantCulture);
}
