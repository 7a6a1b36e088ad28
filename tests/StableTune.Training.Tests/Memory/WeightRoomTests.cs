using StableTune.Tensors;

namespace StableTune.Training.Tests;

/// <summary>Weights are copied where a ninth of the memory is left over, and stay in their file otherwise.</summary>
public sealed class WeightRoomTests
{
    [Theory]
    [InlineData(8_000, 9_000L, WeightStorage.Copied)]
    [InlineData(8_000, 8_999L, WeightStorage.Automatic)]
    [InlineData(8_000, 0L, WeightStorage.Automatic)]
    [InlineData(8_000, -5L, WeightStorage.Automatic)]
    [InlineData(8_000, null, WeightStorage.Copied)]
    public void Storage_GoesByWhatIsFree(long bytes, long? free, WeightStorage expected) =>
        Assert.Equal(expected, RunPreparation.StorageWhere(bytes, free));
}
