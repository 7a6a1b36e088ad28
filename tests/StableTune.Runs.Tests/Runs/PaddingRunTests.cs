using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Runs whose captions are padded to the longest of their batch only.</summary>
public sealed class PaddingRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithoutPadding_LearnsOtherwise_AndEncodesInEveryStep()
    {
        var held = TinyRun.HeldBefore();
        var padded = TinyRun.Builder(_folder, "padded").WithCachedLatents().Train();
        var unpadded = TinyRun.Builder(_folder, "unpadded").WithCachedLatents().WithTokenPadding(false).Train();
        Assert.NotEqual(padded.Losses, unpadded.Losses);
        Assert.Equal(unpadded.Losses, TinyRun.Builder(_folder, "again").WithCachedLatents().WithTokenPadding(false).Train().Losses);
        Assert.Equal(held, TinyRun.HeldTensors);
    }

    [Fact]
    public void Build_WithLongerCaptionsOrCachedOutputs_NamesBothOptions()
    {
        var longer = Problem(TinyRun.Builder(_folder).WithTokenPadding(false).WithMaxTokenLength(150));
        Assert.Equal("TrainingPlan.PadTokens", longer.Option);
        Assert.Contains("TrainingPlan.MaxTokenLength is 150", longer.ToString());
        var cached = Problem(TinyRun.Builder(_folder).WithTokenPadding(false).WithCachedTextEncoderOutputs());
        Assert.Equal("CacheOptions.TextEncoderOutputs", cached.Option);
        Assert.Contains("TrainingPlan.PadTokens", cached.ToString());
    }

    private static OptionProblem Problem(TrainerBuilder builder) =>
        Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems);
}
