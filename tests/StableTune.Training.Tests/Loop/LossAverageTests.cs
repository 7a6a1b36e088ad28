namespace StableTune.Training.Tests;

public sealed class LossAverageTests
{
    [Fact]
    public void Add_InLaterEpochs_ReplacesTheSameBatch()
    {
        var average = new LossAverage();
        Assert.True(double.IsNaN(average.Value));
        average.Add(0, 1);
        average.Add(1, 3);
        Assert.Equal(2, average.Value);
        average.Add(0, 5);
        Assert.Equal(4, average.Value);
    }

    [Fact]
    public void StepClock_CountsOnlyTheTimeInSteps()
    {
        var time = new ManualTime();
        var clock = new StepClock(time);
        Assert.Null(clock.Remaining(5));
        for (var i = 0; i < 30; i++)
        {
            clock.Start();
            time.Advance(TimeSpan.FromSeconds(0.5));
            clock.DataArrived();
            time.Advance(TimeSpan.FromSeconds(1.5));
            clock.Stop();
            time.Advance(TimeSpan.FromSeconds(100));
        }

        // A wait that ends an epoch belongs to no step.
        clock.Start();
        time.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(TimeSpan.FromSeconds(15), clock.DataWait);
        Assert.Equal(TimeSpan.FromSeconds(60), clock.Elapsed);
        Assert.Equal(0.5, clock.StepsPerSecond, 9);
        Assert.Equal(TimeSpan.FromSeconds(10), clock.Remaining(5));
    }

    [Theory]
    [InlineData(10, 4, 10, 3)]
    [InlineData(8, 4, 8, 2)]
    public void TrainingLength_OfSteps_CountsEpochsRoundedUp(int steps, int perEpoch, int totalSteps, int totalEpochs)
    {
        var length = TrainingLength.Steps(steps);
        Assert.Equal((totalSteps, totalEpochs), (length.TotalSteps(perEpoch), length.TotalEpochs(perEpoch)));
        Assert.Equal((12, 3), (TrainingLength.Epochs(3).TotalSteps(4), TrainingLength.Epochs(3).TotalEpochs(4)));
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan by) => _now += by.Ticks;
    }
}
