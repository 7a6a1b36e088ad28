namespace StableTune.Training;

/// <summary>How strongly what is trained acts; changes for a while, and is then as it was before.</summary>
internal sealed class TargetStrength(IReadOnlyList<ITrainingTarget> targets)
{
    private double _now = 1;

    public bool HasTargets => targets.Count > 0;

    /// <summary>Sets the multiplier of all targets until the result is disposed of.</summary>
    public Restored Set(double multiplier)
    {
        var before = _now;
        Apply(multiplier);
        return new Restored(this, before);
    }

    private void Apply(double multiplier)
    {
        if (multiplier == _now) return;
        _now = multiplier;
        foreach (var target in targets) target.SetMultiplier(multiplier);
    }

    /// <summary>Sets the multiplier back.</summary>
    public readonly struct Restored(TargetStrength strength, double before) : IDisposable
    {
        public void Dispose() => strength.Apply(before);
    }
}
