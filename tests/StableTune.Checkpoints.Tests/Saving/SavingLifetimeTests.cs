using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

[Collection(LiveTensorCollection.Name)]
public sealed class SavingLifetimeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SavingLifetimeTests()
    {
        // What earlier tests forgot is finalized first, so that it does not move the count later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Save_InAnyForm_LeavesNoTensors()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        var before = HeldTensors.Before();
        model.SaveAs(_folder.File("model.safetensors"), new ModelSaveOptions { Precision = ScalarType.Float16 });
        model.SaveAs(_folder.File("model.ckpt"));
        model.SaveAs(_folder.File("model"), new ModelSaveOptions { Format = ModelFormat.Diffusers });
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Convert_LeavesNoTensors()
    {
        var source = FixtureModels.TinySd15(_folder);
        var before = HeldTensors.Before();
        ModelConverter.Convert(source, _folder.File("model.safetensors"), new ModelSaveOptions { Precision = ScalarType.Float32 });
        Assert.Equal(before, TensorCount.Live);
    }
}
