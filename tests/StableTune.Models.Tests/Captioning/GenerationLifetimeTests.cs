using StableTune.Testing;

namespace StableTune.Models.Tests.Captioning;

/// <summary>No way of writing a text leaves a tensor behind.</summary>
[Collection(CountsTensors.Name)]
public sealed class GenerationLifetimeTests
{
    private const int End = 5;

    [Fact]
    public void Generate_LeavesNoTensors_AlsoWhenCancelled()
    {
        using var model = new BlipModel(BlipOptions.Tiny).SetRequiresGrad(false);
        using var pixels = rand(3, 3, 32, 32);
        TextDecoding[] ways = [new BeamSearch(), new BeamSearch { Beams = 3 }, new NucleusSampling()];
        foreach (var way in ways) model.Generate(pixels, new([118, 15], End, [1, 2, 3]), way);
        var before = HeldTensors.Before();
        foreach (var way in ways)
        {
            for (var i = 0; i < 3; i++) model.Generate(pixels, new([118, 15], End, [1, 2, i]), way);
            using var cancel = new CancellationTokenSource();
            cancel.Cancel();
            Assert.Throws<OperationCanceledException>(() => model.Generate(pixels, new([118], End, [1, 2, 3], cancel.Token), way));
        }

        Assert.Equal(before, TensorCount.Live);
    }
    [Fact]
    public void Generate_OfScoresThatAreNoNumbers_SaysWhatHelps_AndLeavesNoTensors()
    {
        using var model = new BlipModel(BlipOptions.Tiny).SetRequiresGrad(false);
        using var pixels = full([2, 3, 32, 32], double.NaN, dtype: ScalarType.Float32);
        var before = HeldTensors.Before();
        foreach (var way in (TextDecoding[])[new BeamSearch(), new BeamSearch { Beams = 3 }, new NucleusSampling()])
            Assert.Contains("Load it in float32", Assert.Throws<InvalidOperationException>(() =>
                model.Generate(pixels, new([118, 15], End, [1, 2]), way)).Message, StringComparison.Ordinal);
        Assert.Equal(before, TensorCount.Live);
    }
}
