namespace StableTune.Training.Tests;

public sealed class TrainingLengthTests
{
    [Theory]
    [InlineData(5, 2, 3)]
    [InlineData(4, 2, 2)]
    [InlineData(1, 100, 1)]
    [InlineData(int.MaxValue, 1, int.MaxValue)]
    public void Steps_CountEpochsThatAreBegun(int steps, int perEpoch, int epochs)
    {
        Assert.Equal(steps, TrainingLength.Steps(steps).TotalSteps(perEpoch));
        Assert.Equal(epochs, TrainingLength.Steps(steps).TotalEpochs(perEpoch));
    }

    [Fact]
    public void Epochs_MultiplySteps_AndDoNotOverflowSilently()
    {
        Assert.Equal((30, 3), (TrainingLength.Epochs(3).TotalSteps(10), TrainingLength.Epochs(3).TotalEpochs(10)));
        Assert.Throws<OverflowException>(() => TrainingLength.Epochs(int.MaxValue).TotalSteps(2));
        Assert.Equal(("7 steps", "7 epochs"), (TrainingLength.Steps(7).ToString(), TrainingLength.Epochs(7).ToString()));
        Assert.NotEqual(TrainingLength.Steps(7), TrainingLength.Epochs(7));
    }
}
