using StableTune.Models;

namespace StableTune.Training.Tests;

/// <summary>Parts of a model that wait in host memory, seen by their moves.</summary>
public sealed class WaitingPartsTests
{
    [Fact]
    public void Parts_ComeWhenTheyAreNeeded_AndGoAgain()
    {
        using var model = ModelFactory.Create(NewModelOptions.Tiny);
        var moves = new List<string>();
        var parts = new WaitingParts(model, ModelParts.Vae | ModelParts.TextEncoder, new Device(DeviceType.CUDA, 1),
            (module, to) => moves.Add($"{module.GetName()} to {to.type}"));
        string[] there = ["AutoencoderKL to CPU", "ClipTextModel to CPU"], back = ["AutoencoderKL to CUDA", "ClipTextModel to CUDA"];
        Assert.Equal(there, moves);
        using (parts.Bring())
        {
            using (parts.Bring()) Assert.Equal([.. there, .. back], moves);
            Assert.Equal([.. there, .. back], moves);
        }

        Assert.Equal([.. there, .. back, .. there], moves);
        parts.End();
        Assert.Equal([.. there, .. back, .. there, .. back], moves);
    }

    [Fact]
    public void Parts_ThatAreNotThere_ArePassedOver()
    {
        using var model = ModelFactory.Create(NewModelOptions.Tiny);
        model.ReleaseVae();
        var moves = 0;
        _ = new WaitingParts(model, ModelParts.Vae | ModelParts.TextEncoder, new Device(DeviceType.CUDA, 0), (_, _) => moves++);
        Assert.Equal(1, moves);
    }
}
