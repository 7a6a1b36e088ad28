using StableTune.Losses;

namespace StableTune.Diffusion.Tests;

/// <summary>How masks act on a loss.</summary>
public class MaskOptionsTests
{
    [Fact]
    public void Squared_IsThatOfSdTrainer()
    {
        using var scope = NewDisposeScope();
        var (predicted, target, mask) = (randn(2, 4, 3, 5), randn(2, 4, 3, 5), rand(2, 1, 3, 5));
        var expected = (predicted * mask - (target * mask)).pow(2).flatten(1).mean([1L]);
        var actual = Compute(new() { Squared = true }, predicted, target, mask);
        Assert.True(expected.allclose(actual, 1e-5, 1e-6));
    }

    [Fact]
    public void NormalizeByArea_GivesTheMeanOfWhatTheMaskLeaves()
    {
        using var scope = NewDisposeScope();
        var (predicted, target, mask) = (randn(2, 4, 4, 4), randn(2, 4, 4, 4), zeros(2, 1, 4, 4));
        mask[0, 0, 1, 2] = 1;
        mask[1, .., 2..] = 1;
        var error = (predicted - target).pow(2);
        var actual = Compute(new() { NormalizeByArea = true }, predicted, target, mask);
        Assert.Equal(error[0, .., 1, 2].mean().item<float>(), actual[0].item<float>(), 1e-5);
        Assert.Equal(error[1, .., 2..].mean().item<float>(), actual[1].item<float>(), 1e-5);
        Assert.Equal(0, Compute(new() { NormalizeByArea = true }, predicted, target, zeros(2, 1, 4, 4)).sum().item<float>());
    }

    [Fact]
    public void UnmaskedWeight_IsWhatTheRestCounts()
    {
        using var scope = NewDisposeScope();
        var (predicted, target, mask) = (randn(1, 4, 4, 4), randn(1, 4, 4, 4), zeros(1, 1, 4, 4));
        mask[0, 0, 0] = 1;
        var error = (predicted - target).pow(2);
        var expected = (error[.., .., 0].sum() + (error[.., .., 1..].sum() * 0.25)) / 64;
        Assert.Equal(expected.item<float>(), Compute(new() { UnmaskedWeight = 0.25 }, predicted, target, mask).item<float>(), 1e-5);
        Assert.True(Compute(new(), predicted, target, mask).allclose((error * mask).flatten(1).mean([1L])));
        Assert.Contains("UnmaskedWeight", new DiffusionLoss { Masks = new() { UnmaskedWeight = 2 } }.Validate().Single().ToString());
    }

    private static Tensor Compute(MaskOptions masks, Tensor predicted, Tensor target, Tensor mask) =>
        new DiffusionLoss { Masks = masks }.Compute(new LossInputs
        {
            Predicted = predicted, Target = target, Timesteps = zeros(predicted.shape[0], dtype: ScalarType.Int64), Mask = mask,
            Schedule = NoiseSchedule.ScaledLinear(), Prediction = PredictionType.Epsilon,
        }).PerSample;
}
