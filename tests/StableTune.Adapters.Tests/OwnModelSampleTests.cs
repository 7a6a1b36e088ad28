using StableTune.Samples;

namespace StableTune.Adapters.Tests;

/// <summary>The sample samples/OwnModel, run as it is.</summary>
public sealed class OwnModelSampleTests
{
    [Fact]
    public void Run_TrainsAndTheCopyAnswersTheSame()
    {
        using var folder = new TemporaryFolder();
        var told = new List<string>();
        var (first, last, difference) = OwnModel.Run(folder.File("own.safetensors"), told.Add);
        Assert.InRange(last, 0, first / 10);
        Assert.Equal(0, difference);
        Assert.Equal(5, told.Count);
        Assert.StartsWith("step   0: loss ", told[0]);
        Assert.True(File.Exists(folder.File("own.safetensors")));
    }
}
