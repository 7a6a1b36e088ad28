using System.Globalization;

namespace StableTune.Tool;

/// <summary>The keys that steer a run while it goes on.</summary>
/// <param name="control">The run's.</param>
/// <param name="say">Says what a key has done.</param>
internal sealed class RunKeys(TrainingControl control, Action<string> say)
{
    private const double RateStep = 1.25;

    /// <summary>What the rates are multiplied by at present: a run that goes on brings the factor of its state.</summary>
    private double Rate => control.RateFactors.GetValueOrDefault("", 1);

    /// <summary>The keys, one line for each.</summary>
    private IEnumerable<(string Keys, string Does, Action Act)> Table() =>
    [
        ("p ", "pause, and go on", Pause),
        ("s", "save now", () => Do(control.SaveNow, "saving after this step")),
        ("i", "draw sample images now", () => Do(control.SampleNow, "drawing samples after this step")),
        ("+", "raise the learning rate by a quarter", () => SetRate(Rate * RateStep)),
        ("-", "lower it by a fifth", () => SetRate(Rate / RateStep)),
        ("0", "the learning rate of the options again", () => SetRate(1)),
        ("q", "end after this step, with the result saved", () => Do(control.Stop, "ending after this step")),
        ("h?", "show the keys", () => say(Help)),
    ];

    /// <summary>The keys in a line.</summary>
    public string Help => "keys: " + string.Join(", ", Table().Select(row => $"{row.Keys[0]} {row.Does}"))
        + "; Ctrl+C stops, to go on later";

    /// <summary>Does what a key stands for; any other does nothing.</summary>
    /// <returns>Whether it stands for something.</returns>
    public bool Press(char key)
    {
        var (_, _, act) = Table().FirstOrDefault(row => row.Keys.Contains(char.ToLowerInvariant(key), StringComparison.Ordinal));
        act?.Invoke();
        return act is not null;
    }

    /// <summary>Listens to the keys until the result is disposed of.</summary>
    /// <param name="read">The next key that was pressed; null for none yet.</param>
    public IDisposable Listen(Func<char?> read)
    {
        var listener = new Listener(this, read);
        say(Help);
        return listener;
    }

    private void Pause()
    {
        if (control.IsPaused) Do(control.Resume, "going on");
        else Do(control.Pause, "pausing after this step: p goes on");
    }

    private void SetRate(double factor)
    {
        control.ChangeRate(factor);
        say("the learning rate is " + factor.ToString("0.###", CultureInfo.InvariantCulture) + " times that of the options");
    }

    private void Do(Action act, string told)
    {
        act();
        say(told);
    }

    /// <summary>Looks for keys ten times a second.</summary>
    private sealed class Listener : IDisposable
    {
        private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

        private readonly ManualResetEventSlim _ended = new();
        private readonly Thread _thread;

        public Listener(RunKeys keys, Func<char?> read)
        {
            _thread = new Thread(() =>
            {
                do
                {
                    while (read() is { } key) keys.Press(key);
                }
                while (!_ended.Wait(s_pause));
            })
            { IsBackground = true, Name = "keys" };
            _thread.Start();
        }

        public void Dispose()
        {
            _ended.Set();
            _thread.Join();
            _ended.Dispose();
        }
    }
}
