using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Tests.Steps;

/// <summary>Norms of trained tensors and gradients in progress and logs.</summary>
public sealed class KeyNormTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_TellsTheNormsOfWhatIsSaved(bool late)
    {
        var reports = new Reports();
        var before = TinyRun.HeldBefore();
        var result = new Trainer(TinyRun.Builder(_folder).WithKeyNorms().WithLog(_folder.File("log.jsonl")).Plan with
        {
            ReadsLossLate = late,
        }).Train(reports);
        Assert.Equal(before, TinyRun.HeldTensors);
        var metrics = reports.Steps[^1].Metrics;
        var norms = Norms(result.Files[0]);
        Assert.Equal(norms.Average(), metrics["norm/avg_key_norm"], 1e-5);
        Assert.Equal(norms.Max(), metrics["norm/max_key_norm"], 1e-5);
        Assert.InRange(metrics["norm/avg_grad_norm"], 1e-12, metrics["norm/max_grad_norm"]);
        // Each tensor's is a part of that of all.
        Assert.InRange(metrics["norm/max_grad_norm"], 1e-12, reports.Steps[^1].GradientNorm + 1e-9);
        Assert.Contains("norm/avg_key_norm", File.ReadAllText(_folder.File("log.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_LearnsTheSame_AndTellsNothingUnasked()
    {
        var reports = new Reports();
        var plain = TinyRun.Builder(_folder, "plain").Train(reports);
        Assert.DoesNotContain("norm/avg_key_norm", reports.Steps[^1].Metrics.Keys);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(TinyRun.Builder(_folder, "told").WithKeyNorms().Train().Files[0]));
    }

    [Fact]
    public void Train_SteppedInTheBackwardPass_HasNoGradientsToTellOf()
    {
        var reports = new Reports();
        new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64).WithFullTraining()
            .WithMaxGradientNorm(null).WithFusedBackward().WithKeyNorms().For(TrainingLength.Steps(1)).SaveTo(_folder.File("out", "model"))
            .Train(reports);
        var metrics = reports.Steps[^1].Metrics;
        Assert.True(metrics["norm/max_key_norm"] > 0);
        Assert.False(metrics.ContainsKey("norm/avg_grad_norm"));
    }

    /// <summary>Of each trained tensor of a file; alphas are not trained.</summary>
    private static double[] Norms(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return [.. from tensor in file.Tensors
                   where !tensor.Name.EndsWith(".alpha", StringComparison.Ordinal)
                   let numbers = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Span(tensor.Name)).ToArray()
                   select Math.Sqrt(numbers.Sum(number => (double)number * number))];
    }
}
