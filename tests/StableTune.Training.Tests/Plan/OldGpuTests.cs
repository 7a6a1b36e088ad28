namespace StableTune.Training.Tests;

public sealed class OldGpuTests
{
    [Theory]
    [InlineData("7.5", true)]
    [InlineData("8.0", false)]
    [InlineData("9.0", false)]
    [InlineData(null, false)]
    public void BFloat16_OnAGpuWithoutIt_IsTold_AndFloat16Named(string? capability, bool told)
    {
        var version = capability is null ? null : Version.Parse(capability);
        var warning = PlanWarnings.OldGpu(ScalarType.BFloat16, version);
        Assert.Equal(told, warning?.Contains("PrecisionPolicy.Float16", StringComparison.Ordinal) == true);
        Assert.Null(PlanWarnings.OldGpu(ScalarType.Float16, version));
        Assert.Null(NativeBackend.ComputeCapability(CPU));
    }
}
