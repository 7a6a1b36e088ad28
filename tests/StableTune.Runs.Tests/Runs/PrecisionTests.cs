using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>bfloat16 on a processor that has no instructions for it is a type of storage.</summary>
public sealed class PrecisionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        HalfPrecision.Assume(null);
        _folder.Dispose();
    }

    [Fact]
    public void Train_BFloat16WithoutInstructions_ComputesInFloat32AndSaysSoOnce()
    {
        HalfPrecision.Assume(true);
        var computed = Train("computed");
        HalfPrecision.Assume(false);
        var stored = Train("stored");
        Assert.DoesNotContain(computed.Warnings, warning => warning.Contains("PrecisionPolicy", StringComparison.Ordinal));
        Assert.Single(stored.Warnings, warning => warning.Contains("PrecisionPolicy.Compute is BFloat16", StringComparison.Ordinal));
        // Products rounded once instead of at every step of them: near each other, and not the same.
        for (var i = 0; i < computed.Losses.Count; i++) Assert.InRange(
            stored.Losses[i], computed.Losses[i] - 5e-3, computed.Losses[i] + 5e-3);
        Assert.NotEqual(computed.Losses, stored.Losses);
    }

    private TrainingResult Train(string name) => TinyRun.Builder(_folder, name).WithPrecision(PrecisionPolicy.BFloat16).Train();

    [Fact]
    public void Train_WithTf32_SetsTheProcessForTheRunAlone()
    {
        var before = (TorchSharp.torch.backends.cuda.matmul.allow_tf32, TorchSharp.torch.backends.cudnn.allow_tf32);
        var during = new Tf32Watch();
        TinyRun.Builder(_folder).WithTf32().WithObserver(during).Train();
        Assert.Equal((true, true), during.Seen);
        Assert.Equal(before, (TorchSharp.torch.backends.cuda.matmul.allow_tf32, TorchSharp.torch.backends.cudnn.allow_tf32));
        TinyRun.Builder(_folder, "plain").WithObserver(during).Train();
        Assert.Equal(before, during.Seen);
    }

    [Fact]
    public void Train_WithDeterminism_SetsTheProcessForTheRunAlone()
    {
        var during = new DeterminismWatch();
        TinyRun.Builder(_folder).WithDeterminism().WithObserver(during).Train();
        Assert.True(during.Seen);
        Assert.False(StableTune.Torch.DeterministicAlgorithms.AreOn);
    }

    private sealed class DeterminismWatch : ITrainingObserver
    {
        public bool Seen { get; private set; }

        public void OnStep(TrainingProgress progress) => Seen = StableTune.Torch.DeterministicAlgorithms.AreOn;
    }

    private sealed class Tf32Watch : ITrainingObserver
    {
        public (bool, bool) Seen { get; private set; }

        public void OnStep(TrainingProgress progress) =>
            Seen = (TorchSharp.torch.backends.cuda.matmul.allow_tf32, TorchSharp.torch.backends.cudnn.allow_tf32);
    }
}
