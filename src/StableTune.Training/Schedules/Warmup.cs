namespace StableTune;

/// <summary>How long the learning rate rises (or falls), or how far into a run something is: a number of optimizer steps, or a part of
/// the run.</summary>
public readonly record struct Warmup
{
    private readonly int _steps;
    private readonly double _ratio;

    private Warmup(int steps, double ratio) => (_steps, _ratio) = (steps, ratio);

    /// <summary>So many optimizer steps.</summary>
    public static Warmup Steps(int count) => new(count, 0);

    /// <summary>This part of all steps, 0 to 1.</summary>
    public static Warmup Ratio(double part) => new(0, part);

    /// <summary>The steps in a run of this length, rounded towards zero as sd-scripts does.</summary>
    public int In(int totalSteps) => _ratio > 0 ? (int)(_ratio * totalSteps) : _steps;

    /// <summary>The part of all steps that was given; null where a number of steps was.</summary>
    public double? Part => _ratio != 0 ? _ratio : null;

    internal bool IsValid => _steps >= 0 && _ratio is >= 0 and <= 1;

    /// <summary>"100 steps" or "5 %".</summary>
    public override string ToString() => _ratio != 0 ? FormattableString.Invariant($"{_ratio * 100} %") : $"{_steps} steps";
}
