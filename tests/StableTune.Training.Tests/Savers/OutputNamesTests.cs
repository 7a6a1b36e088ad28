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

    [Theory]
    [InlineData(SaveReason.End, "last.safetensors")]
    [InlineData(SaveReason.Epoch, "epoch-000012.safetensors")]
    [InlineData(SaveReason.Step, "at-step00000340.safetensors")]
    [InlineData(SaveReason.Best, "last-best.safetensors")]
    public void For_ResultsWithoutAName_IsAsTheReferenceCallsThem(SaveReason reason, string expected) =>
        Assert.Equal(Path.Combine("out", expected), OutputNames.For(Path.Combine("out", "last.safetensors"), Moment(reason)));

    /// <summary>A folder has no ending: what is behind its dots stays where it is.</summary>
    [Theory]
    [InlineData("sd1.5-frog", SaveReason.Epoch, "sd1.5-frog-000012")]
    [InlineData("sd1.5-frog", SaveReason.Best, "sd1.5-frog-best")]
    [InlineData("v1.5.ckpt", SaveReason.Step, "v1.5-step00000340.ckpt")]
    public void For_NamesWithDots_OnlyKnownEndingsCount(string final, SaveReason reason, string expected) =>
        Assert.Equal(expected, OutputNames.For(final, Moment(reason)));

    [Theory]
    [InlineData("dreambooth-v1.5", SaveReason.Step, "dreambooth-v1.5/checkpoint-340")]
    [InlineData("out/dog", SaveReason.Step, "out/dog/checkpoint-340")]
    [InlineData("out/dog", SaveReason.End, "out/dog")]
    [InlineData("out/lora.safetensors", SaveReason.Epoch, "out/checkpoint-340/lora.safetensors")]
    [InlineData("out/lora.safetensors", SaveReason.End, "out/lora.safetensors")]
    public void For_Checkpoints_IsAFolderForEachStep(string final, SaveReason reason, string expected)
    {
        var path = OutputNames.For(final.Replace('/', Path.DirectorySeparatorChar),
            Moment(reason, new SaveOptions { Naming = OutputNaming.Checkpoints }));
        Assert.Equal(expected, path.Replace(Path.DirectorySeparatorChar, '/'));
    }

    [Fact]
    public void For_OneFile_IsAlwaysThatFile() => Assert.All(new[] { SaveReason.End, SaveReason.Step, SaveReason.Epoch }, reason =>
        Assert.Equal("frog.pt", OutputNames.For("frog.pt", Moment(reason, new SaveOptions { Naming = OutputNaming.OneFile }))));

    /// <summary>sd-scripts: of epochs the file so many saves ago, of steps the last save before so many steps.</summary>
    [Theory]
    [InlineData(SaveReason.Epoch, 12, 340, "frog-000008.pt")]
    [InlineData(SaveReason.Epoch, 4, 340, null)]
    [InlineData(SaveReason.Step, 12, 340, "frog-step00000230.pt")]
    [InlineData(SaveReason.Step, 12, 100, null)]
    [InlineData(SaveReason.End, 12, 340, null)]
    public void Outdated_IsWhatTheReferenceRemoves(SaveReason reason, int epoch, int step, string? expected)
    {
        var moment = Moment(reason, new SaveOptions { EveryNEpochs = 2, EveryNSteps = 10 }) with { Epoch = epoch, Step = step };
        Assert.Equal(expected is null ? [] : [expected], OutputNames.Outdated("frog.pt", moment, epochs: 2, steps: 100));
    }

    [Fact]
    public void KeepLast_WhereNamesDoNotSayIt_IsRefused()
    {
        Assert.Equal(["SaveOptions.KeepLastEpochs", "SaveOptions.KeepLastSteps"], new SaveOptions
        {
            Naming = OutputNaming.OneFile, KeepLastEpochs = 1, KeepLastSteps = 1,
        }.Validate().Select(problem => problem.Option));
        Assert.Equal("SaveOptions.KeepLastEpochs", Assert.Single(new SaveOptions
        {
            Naming = OutputNaming.Checkpoints, KeepLastEpochs = 1, KeepLastSteps = 1,
        }.Validate()).Option);
    }

    [Theory]
    [InlineData(10, 3, 3)]
    [InlineData(10, 20, 1)]
    [InlineData(10, null, null)]
    public void EpochRatio_IsAPartOfTheRun(int epochs, int? ratio, int? between) =>
        Assert.Equal(between, new SaveOptions { EpochRatio = ratio }.EpochsBetween(epochs));

    private static SaveMoment Moment(SaveReason reason, SaveOptions? save = null) => new()
    {
        Reason = reason, Step = 340, Epoch = 12, Trainables = [], Plan = new TrainingPlan { Save = save ?? new() }, Run = null!,
    };
}
