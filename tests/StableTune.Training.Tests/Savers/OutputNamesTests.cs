namespace StableTune.Training.Tests;

public sealed class OutputNamesTests
{
    [Theory]
    [InlineData(SaveReason.End, "frog.safetensors")]
    [InlineData(SaveReason.Epoch, "frog-000012.safetensors")]
    [InlineData(SaveReason.Step, "frog-step00000340.safetensors")]
    [InlineData(SaveReason.Interrupted, "frog-step00000340.safetensors")]
    public void For_AMoment_NumbersTheFileAsTheReferenceDoes(SaveReason reason, string expected) =>
        Assert.Equal(Path.Combine("out", expected), OutputNames.For(Path.Combine("out", "frog.safetensors"), Moment(reason)));

    [Fact]
    public void For_ABareName_StaysWhereItIs_AndOnlyTheLastDotCounts()
    {
        Assert.Equal("frog-000012.safetensors", OutputNames.For("frog.safetensors", Moment(SaveReason.Epoch)));
        Assert.Equal(Path.Combine("a.b", "frog.v1-000012.safetensors"),
            OutputNames.For(Path.Combine("a.b", "frog.v1.safetensors"), Moment(SaveReason.Epoch)));
    }

    private static SaveMoment Moment(SaveReason reason) =>
        new() { Reason = reason, Step = 340, Epoch = 12, Trainables = [], Plan = new TrainingPlan(), Run = null! };
}
