using StableTune.Models;

namespace StableTune.Training.Tests;

/// <summary>How many numbers a pass through a UNet keeps.</summary>
public sealed class UNetActivationsTests
{
    [Fact]
    public void Kept_GrowsWithPlacesAndSamples_AndIsLessWithCheckpoints()
    {
        static UNetActivations Of(int side, int samples, UNetLearning learning, bool checkpoints) =>
            new(UNetOptions.Sd15, side, side, samples, learning, checkpoints);
        var adapters = Of(64, 1, UNetLearning.Adapters, false);
        Assert.Equal(4 * adapters.Kept, Of(128, 1, UNetLearning.Adapters, false).Kept);
        Assert.Equal(3 * adapters.Kept, Of(64, 3, UNetLearning.Adapters, false).Kept);
        Assert.Equal(3 * adapters.Working, Of(64, 3, UNetLearning.Adapters, false).Working);
        Assert.InRange(Of(64, 1, UNetLearning.Through, false).Kept, 1, adapters.Kept - 1);
        Assert.InRange(adapters.Kept, 1, Of(64, 1, UNetLearning.Weights, false).Kept - 1);
        Assert.InRange(Of(64, 1, UNetLearning.Adapters, true).Kept, 1, adapters.Kept / 2);
    }

    [Fact]
    public void Kept_OfOneLevelWithoutTransformers_IsWhatItsResnetsKeep()
    {
        var options = UNetOptions.Sd15 with
        {
            BlockOutChannels = [32], LayersPerBlock = 1, AttentionHeads = [8], TransformerLayersPerBlock = [1],
            DownBlockTypes = [UNetOptions.PlainDown], UpBlockTypes = [UNetOptions.PlainUp],
        };
        // Down: between the convolutions, and the result. Middle: two of these and a transformer of 10 and 2 maps. Up: two of them, each
        // with the map that it is joined from, of twice the channels.
        const int maps = 2 + (2 * 2) + (10 + 2) + (2 * (2 + 2));
        Assert.Equal(maps * 32L * 8 * 8, new UNetActivations(options, 8, 8, 1, UNetLearning.Through, false).Kept);
    }
}
