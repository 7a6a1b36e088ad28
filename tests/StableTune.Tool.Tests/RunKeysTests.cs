namespace StableTune.Tool.Tests;

/// <summary>The keys that steer a run.</summary>
public sealed class RunKeysTests
{
    private readonly TrainingControl _control = new();
    private readonly List<string> _said = [];

    private RunKeys Keys => new(_control, _said.Add);

    [Fact]
    public void Space_And_P_Pause_AndGoOn()
    {
        var keys = Keys;
        Assert.True(keys.Press(' '));
        Assert.True(_control.IsPaused);
        Assert.True(keys.Press('P'));
        Assert.False(_control.IsPaused);
        Assert.Equal(["pausing after this step: p goes on", "going on"], _said);
    }

    [Fact]
    public void PlusAndMinus_ChangeTheRate_AndZeroSetsItBack()
    {
        var keys = Keys;
        keys.Press('+');
        Assert.Equal(1.25, _control.RateFactors[""]);
        keys.Press('+');
        keys.Press('-');
        Assert.Equal(1.25, _control.RateFactors[""], 1e-12);
        Assert.Equal("the learning rate is 1.25 times that of the options", _said[^1]);
        keys.Press('0');
        Assert.Equal(1, _control.RateFactors[""]);
    }

    [Fact]
    public void PlusAndMinus_GoOnFromTheFactorThatTheRunHas()
    {
        var keys = Keys;
        // As the state of an interrupted run sets it.
        _control.ChangeRate(2);
        keys.Press('+');
        Assert.Equal(2.5, _control.RateFactors[""]);
        Assert.Equal("the learning rate is 2.5 times that of the options", _said[^1]);
        keys.Press('-');
        Assert.Equal(2, _control.RateFactors[""]);
        keys.Press('0');
        Assert.Equal(1, _control.RateFactors[""]);
    }

    [Fact]
    public void Q_EndsTheRun_AndOtherKeysDoNothing()
    {
        var keys = Keys;
        Assert.False(keys.Press('x'));
        Assert.False(keys.Press('\0'));
        Assert.False(_control.IsStopping);
        Assert.True(keys.Press('q'));
        Assert.True(_control.IsStopping);
        keys.Press('?');
        Assert.StartsWith("keys: p pause, and go on, s save now, i draw sample images now", _said[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Listen_TakesWhatIsPressed_UntilItIsOver()
    {
        var typed = new Queue<char>("p+");
        using (Keys.Listen(() =>
        {
            lock (typed) return typed.TryDequeue(out var key) ? key : null;
        }))
            SpinWait.SpinUntil(() => _control.IsPaused && !_control.RateFactors.IsEmpty, TimeSpan.FromSeconds(10));
        Assert.True(_control.IsPaused);
        Assert.Equal(1.25, _control.RateFactors[""]);
    }
}
