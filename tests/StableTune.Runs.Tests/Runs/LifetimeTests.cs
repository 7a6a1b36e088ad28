using StableTune.Testing;
using Xunit.Abstractions;

namespace StableTune.Tests;

/// <summary>A run gives back every tensor, and its steps take no more memory the longer it goes on.</summary>
public sealed class LifetimeTests(ITestOutputHelper output) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_GivesBackEveryTensor(bool everything)
    {
        var builder = everything
            ? SmallRun.Builder(_folder).WithGradientCheckpointing().WithCachedLatents(false).WithGradientAccumulation(2).SaveEvery(steps: 2)
                .WithSamples(_folder.File("samples"), new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 1 })
            : TinyRun.Builder(_folder);
        var before = TinyRun.HeldBefore();
        builder.Train();
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_ManySteps_HoldsAsManyTensorsAfterEach()
    {
        var counts = new List<long>();
        TinyRun.Builder(_folder).WithBatchSize(1).WithLearningRate(1e-4).For(TrainingLength.Steps(80))
            .Train(new Reports(r => { if (r.Phase == TrainingPhase.Training) counts.Add(TinyRun.HeldTensors); }));
        Assert.Equal(80, counts.Count);
        Assert.Single(counts.Distinct());
    }

    [Fact]
    public void Train_AThousandSteps_TakesNoMoreMemory()
    {
        if (!Exhaustive.IsOn) return;   // takes minutes
        var (memory, counts) = (new List<long>(), new List<long>());
        SmallRun.Builder(_folder).For(TrainingLength.Steps(1000)).Train(new Reports(r =>
        {
            if (r.Phase != TrainingPhase.Training) return;
            memory.Add(r.ResidentBytes);
            counts.Add(TinyRun.HeldTensors);
        }));
        var told = $"{counts[0]} tensors; resident after 200 steps {memory[199] >> 20} MiB, after 1000 {memory[^1] >> 20} MiB";
        output.WriteLine(told);
        Assert.Single(counts.Distinct());
        Assert.True(memory[^1] < 1.05 * memory[199], told);
    }
}
