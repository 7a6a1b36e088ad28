using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Ways to save memory that do not go together with what is trained or saved.</summary>
public sealed class MemoryRuleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FusedBackward_WithStepsThatAreLeftOut_IsRefused() => Assert.Contains("known to be finite",
        Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).WithMaxGradientNorm(null).WithFusedBackward()
            .SkipNonFiniteSteps().Build()).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(ModelParts.TextEncoder, "the whole model is saved")]
    [InlineData(ModelParts.UNet, "are trained")]
    public void QuantizedWeights_OfAModelThatIsSaved_AreRefused(ModelParts parts, string told) => Assert.Contains(told,
        Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).WithFullTraining().Change(plan => plan with
        {
            Trainables = [plan.Trainables[^1]], Savers = [],
        }).SaveTo(_folder.File("model")).WithQuantizedWeights(WeightQuantization.Int8, parts).Build()).Message, StringComparison.Ordinal);
}
