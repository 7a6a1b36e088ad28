using System.Collections.Immutable;

namespace StableTune;

/// <summary>
/// Steers a run while it goes on, from any thread: pauses it, has it save or draw samples, changes rates, ends it early. What is asked for
/// happens between two steps. One control steers one run at a time.
/// </summary>
public sealed class TrainingControl
{
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _goesOn = new(initialState: true);
    private bool _save, _sample;

    /// <summary>Whether the run stands still, or will after the present step.</summary>
    public bool IsPaused => !_goesOn.IsSet;

    /// <summary>Whether the run has been asked to end.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>What rates are multiplied by: that of a group by its name, all others under the empty name. Empty unless changed.</summary>
    public ImmutableDictionary<string, double> RateFactors { get; private set; } = ImmutableDictionary<string, double>.Empty;

    /// <summary>Whether something waits to be done after the present step.</summary>
    internal bool HasRequests
    {
        get
        {
            lock (_lock) return _save || _sample || IsStopping || IsPaused;
        }
    }

    /// <summary>Lets the run stand still after the present step, until <see cref="Resume"/>; its clock stands too.</summary>
    public void Pause() => _goesOn.Reset();

    /// <summary>Lets the run go on.</summary>
    public void Resume() => _goesOn.Set();

    /// <summary>
    /// Ends the run after the present step as if it had been so long: the result is saved under its usual name. A paused run is let go on
    /// for that.
    /// </summary>
    public void Stop()
    {
        lock (_lock) IsStopping = true;
        _goesOn.Set();
    }

    /// <summary>Has the run save after the present step, with its state where states are written, under the number of the step.</summary>
    public void SaveNow()
    {
        lock (_lock) _save = true;
    }

    /// <summary>Has the run draw its samples after the present step.</summary>
    public void SampleNow()
    {
        lock (_lock) _sample = true;
    }

    /// <summary>Multiplies learning rates from the next step on, the schedule's factor included; later calls replace earlier
    /// ones.</summary>
    /// <param name="factor">The factor, not negative: 1 for the rates of the plan.</param>
    /// <param name="group">The group, as logs call it ("unet", "textencoder"); null for all that have no factor of their own.</param>
    /// <exception cref="ArgumentOutOfRangeException">The factor is negative or not a number.</exception>
    public void ChangeRate(double factor, string? group = null)
    {
        if (!(factor >= 0 && double.IsFinite(factor)))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "A rate is multiplied by a number from 0 on.");
        lock (_lock) RateFactors = RateFactors.SetItem(group ?? "", factor);
    }

    /// <summary>The factor of a group.</summary>
    internal double FactorOf(string group) =>
        RateFactors is var factors && factors.TryGetValue(group, out var own) ? own : factors.GetValueOrDefault("", 1);

    /// <summary>The factors of a run that goes on, unless some have been set already.</summary>
    internal void Restore(IEnumerable<KeyValuePair<string, double>> factors)
    {
        lock (_lock)
            if (RateFactors.IsEmpty) RateFactors = factors.ToImmutableDictionary(StringComparer.Ordinal);
    }

    /// <summary>A run begins: what an earlier one was asked for counts no more. Rates and a pause stay.</summary>
    internal void Begin()
    {
        lock (_lock) (_save, _sample, IsStopping) = (false, false, false);
    }

    /// <summary>Whether it is to be saved now, and samples drawn; asks once.</summary>
    internal (bool Save, bool Sample) Take()
    {
        lock (_lock)
        {
            var asked = (_save, _sample);
            (_save, _sample) = (false, false);
            return asked;
        }
    }

    /// <summary>Waits while the run is paused, or until it is cancelled: the caller looks which.</summary>
    internal void WaitWhilePaused(CancellationToken cancellationToken) =>
        WaitHandle.WaitAny([_goesOn.WaitHandle, cancellationToken.WaitHandle]);
}
