using StableTune.Schedules;

namespace StableTune.Training.Tests;

public sealed class ScheduleCatalogTests
{
    [Theory]
    [InlineData("constant", typeof(ConstantScheduleOptions))]
    [InlineData("constant_with_warmup", typeof(ConstantWithWarmupScheduleOptions))]
    public void Create_TakesTheReferencesNames(string name, Type kind) => Assert.IsType(kind, ScheduleCatalog.Default.Create(name));

    [Fact]
    public void EveryEntry_IsValid_AndNamedSoInMetadata() => Assert.All(ScheduleCatalog.Default.Names, name =>
    {
        var options = ScheduleCatalog.Default.Create(name);
        Assert.Empty(options.Validate());
        Assert.Equal(name, options.Name);
    });

    [Theory]
    [InlineData("constant_with_warmups")]
    [InlineData("Constant")]
    public void Create_OfAnUnknownName_TellsTheKnownOnes(string name)
    {
        var fault = Assert.Throws<ArgumentException>(() => ScheduleCatalog.Default.Create(name));
        Assert.Contains("no known learning-rate schedule. Did you mean ", fault.Message, StringComparison.Ordinal);
    }
}
