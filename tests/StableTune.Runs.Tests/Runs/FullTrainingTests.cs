using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Whole models, trained and written by the public API, and trained again from what was written.</summary>
public sealed class FullTrainingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private TrainerBuilder Builder(string output) => new TrainerBuilder()
        .WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).WithLearningRate(1e-4)
        .For(TrainingLength.Steps(3)).SaveTo(_folder.File("out", output));

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("model.ckpt")]
    [InlineData("model")]
    public void Train_WritesAModel_ThatIsTrainedAgain(string output)
    {
        var all = ModelParts.UNet | ModelParts.TextEncoder;
        var first = Builder(output).WithFullTraining(all).Train();
        Assert.Equal(3, first.Losses.Count);
        var path = _folder.File("out", output);
        // A single file has no place for the odd widths of the tiny model.
        var options = new ModelLoadOptions { ConfigurationPath = output.Contains('.') ? SmallRun.Model(_folder) : null };
        var again = Builder("again").WithModel(path, options).WithFullTraining(all).For(TrainingLength.Steps(1)).Train();
        // It begins where the first ended: the same image, noise and timestep as in its first step.
        Assert.True(again.Losses[0] < first.Losses[0], $"{again.Losses[0]} after {first.Losses[0]}");
        using var before = ModelLoader.Load(SmallRun.Model(_folder));
        using var after = ModelLoader.Load(path, options);
        Assert.NotEqual(Numbers(before.UNet), Numbers(after.UNet));
        Assert.NotEqual(Numbers(before.TextEncoder), Numbers(after.TextEncoder));
        Assert.Equal(Numbers(before.Vae), Numbers(after.Vae));
    }

    [Fact]
    public void StopTextEncoder_LeavesItAsItWasAtThatStep()
    {
        float[] Text(int? stop, int steps)
        {
            var name = $"stop-{stop}-{steps}";
            Builder(name).WithFullTraining(o => o with { Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = stop })
                .For(TrainingLength.Steps(steps)).Train();
            using var model = ModelLoader.Load(_folder.File("out", name));
            return Numbers(model.TextEncoder);
        }

        var two = Text(stop: null, steps: 2);
        Assert.Equal(two, Text(stop: 2, steps: 4));
        Assert.NotEqual(two, Text(stop: null, steps: 4));
    }

    [Fact]
    public void Resume_AfterTheTextEncoderStopped_EndsBitForBitAsWithoutAStop()
    {
        TrainerBuilder Run(string output, int steps) => Builder(output).For(TrainingLength.Steps(steps))
            .WithFullTraining(o => o with { Parts = ModelParts.UNet | ModelParts.TextEncoder, StopTextEncoderAt = 1 });
        Run("whole", 4).Train();
        Run("half", 2).SaveState(_folder.File("states", "half")).Train();
        Run("rest", 4).ResumeFromLatest(_folder.File("states")).Train();
        using var whole = ModelLoader.Load(_folder.File("out", "whole"));
        using var rest = ModelLoader.Load(_folder.File("out", "rest"));
        Assert.Equal(Numbers(whole.UNet), Numbers(rest.UNet));
        Assert.Equal(Numbers(whole.TextEncoder), Numbers(rest.TextEncoder));
    }

    [Fact]
    public void Train_OfCrossAttentionAlone_LeavesTheRestAsItWas()
    {
        Builder("cross").WithFullTraining(o => o with { Include = [@"\.attn2\."] }).Train();
        using var before = ModelLoader.Load(SmallRun.Model(_folder));
        using var after = ModelLoader.Load(_folder.File("out", "cross"));
        var changed = before.UNet.named_parameters().Zip(after.UNet.named_parameters())
            .Where(pair => !pair.First.parameter.eq(pair.Second.parameter).all().item<bool>()).Select(pair => pair.First.name).ToList();
        Assert.NotEmpty(changed);
        Assert.All(changed, name => Assert.Contains(".attn2.", name));
    }

    [Fact]
    public void Build_TellsRatesOfBlocksThatAreNotThere()
    {
        string Fault(Func<StableTune.Trainables.ModelTrainableOptions, StableTune.Trainables.ModelTrainableOptions> change) =>
            Assert.Throws<InvalidOptionsException>(() => Builder("x").WithFullTraining(change).Build()).Message;
        Assert.Contains("25 blocks", Fault(o => o with { BlockLearningRates = [.. Enumerable.Repeat(1e-6, 23)] }));
        Assert.Contains("no tensor", Fault(o => o with { Include = ["attn7"] }));
    }

    private static float[] Numbers(nn.Module module)
    {
        using var scope = NewDisposeScope();
        return cat([.. module.parameters().Select(parameter => parameter.detach().to(ScalarType.Float32).flatten())], 0L).data<float>()
            .ToArray();
    }
}
