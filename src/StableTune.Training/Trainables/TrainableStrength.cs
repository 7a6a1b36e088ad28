namespace StableTune.Trainables;

/// <summary>How strongly what is trained acts; changes for a while, and is then as it was before.</summary>
internal sealed class TrainableStrength(IReadOnlyList<ITrainable> trainables)
{
    private double _now = 1;

    /// <summary>Whether there is anything that could be left out.</summary>
    public bool HasTrainables => trainables.Count > 0;

    /// <summary>Sets the multiplier of all trainables until the result is disposed of.</summary>
    public Restored Set(double multiplier)
    {
        var before = _now;
        Apply(multiplier);
        return new Restored(this, before);
    }

    private void Apply(double multiplier)
    {
        if (multiplier == _now) return;
        if (trainables.FirstOrDefault(trainable => !trainable.CanBeLeftOut) is { } fixedOne)
            throw new InvalidOperationException(
                $"{fixedOne.Name} changes the model itself, and cannot act {multiplier} times: outputs cannot be preserved with it, nor "
                    + $"can a data set have a network_multiplier.");
        _now = multiplier;
        foreach (var trainable in trainables) trainable.SetMultiplier(multiplier);
    }

    /// <summary>Sets the multiplier back.</summary>
    public readonly struct Restored(TrainableStrength strength, double before) : IDisposable
    {
        public void Dispose() => strength.Apply(before);
    }
}
