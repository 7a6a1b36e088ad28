using StableTune.Optimizers;

namespace StableTune.Training.Tests;

public sealed class OptimizerCatalogTests
{
    [Theory]
    [InlineData("AdamW", typeof(AdamWOptions))]
    [InlineData("adamw", typeof(AdamWOptions))]
    [InlineData("AdamW8bit", typeof(AdamW8bitOptions))]
    [InlineData("ADAMW8BIT", typeof(AdamW8bitOptions))]
    public void Create_TakesTheReferencesNames_InAnyCase(string name, Type kind) =>
        Assert.IsType(kind, OptimizerCatalog.Default.Create(name));

    [Fact]
    public void EveryEntry_IsValid_AndKnownToTheReferenceByThatName() => Assert.All(OptimizerCatalog.Default.Names, name =>
    {
        var options = OptimizerCatalog.Default.Create(name);
        Assert.Empty(options.Validate());
        Assert.EndsWith("." + name, options.ReferenceName, StringComparison.Ordinal);
    });

    [Fact]
    public void Create_OfAnUnknownName_TellsTheKnownOnesAndTheNearest()
    {
        var fault = Assert.Throws<ArgumentException>(() => OptimizerCatalog.Default.Create("AdamW16bit"));
        Assert.Contains("no known optimizer. Did you mean \"AdamW8bit\"? Known are: ", fault.Message, StringComparison.Ordinal);
    }
}
