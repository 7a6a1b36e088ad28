namespace StableTune.Tests;

/// <summary>A builder refuses nothing at all where it needs something, at the call that made the mistake.</summary>
public sealed class BuilderArgumentTests
{
    private static Dictionary<string, Action<TrainerBuilder>> Calls { get; } = new()
    {
        ["source"] = b => b.WithImages((Data.IDatasetSource)null!),
        ["dataset"] = b => b.WithDataset(null!),
        ["options"] = b => b.WithAdapter(null!),
        ["options    "] = b => b.WithTrainable(null!),
        ["options "] = b => b.WithOptimizer(null!),
        ["options  "] = b => b.WithSchedule(null!),
        ["options   "] = b => b.WithSamples((SampleOptions)null!),
        ["adapter"] = b => b.WithLoRA(null!, null),
        ["device"] = b => b.On((TorchSharp.torch.Device)null!),
        ["model"] = b => b.WithModel((Models.StableDiffusionModel)null!),
        ["method"] = b => b.WithMethod(null!),
        ["stage"] = b => b.WithStage((Training.ILatentStage)null!),
        ["folder"] = b => b.ResumeFrom(null!),
        ["length"] = b => b.For(null!),
        ["policy"] = b => b.WithPrecision(null!),
        ["source "] = b => b.WithNoise(null!),
        ["source  "] = b => b.WithTimesteps(null!),
        ["layer"] = b => b.WithNoiseLayer(null!),
        ["loss"] = b => b.WithLoss(null!),
        ["weighting"] = b => b.WithLossWeighting(null!),
        ["saver"] = b => b.SaveTo((Training.ISaver)null!),
        ["path"] = b => b.SaveTo((string)null!),
        ["path "] = b => b.WithLog(null!),
        ["path  "] = b => b.WithLossCurve(null!),
        ["path   "] = b => b.WithTimestepLossCurve(null!),
        ["prompts"] = b => b.WithSamples("samples", (IEnumerable<TextToImageOptions>)null!),
        ["observer"] = b => b.WithObserver(null!),
        ["logger"] = b => b.WithLogger(null!),
        ["clock"] = b => b.WithClock(null!),
    };

    public static TheoryData<string> Names => [.. Calls.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Builder_GivenNull_NamesTheArgument(string name) =>
        Assert.Equal(name.Trim(), Assert.Throws<ArgumentNullException>(() => Calls[name](new TrainerBuilder())).ParamName);
}
