using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Tests that count the live tensors of the process, and so run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LiveTensorCollection
{
    public const string Name = "live tensors";
}

[Collection(LiveTensorCollection.Name)]
public sealed class ModelLifetimeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _path;

    public ModelLifetimeTests()
    {
        _path = FixtureModels.TinySd15(_folder);
        // What earlier tests forgot is finalized first, so that it does not move the count later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_ThenRelease_LeavesNoTensors()
    {
        var before = HeldTensors.Before();
        using var model = ModelLoader.Load(_path);
        var (loaded, parameters) = (TensorCount.Live, model.Vae.parameters().Count());
        model.ReleaseVae();
        Assert.Equal(loaded - parameters, TensorCount.Live);
        model.Dispose();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Load_Cancelled_LeavesNoTensors()
    {
        var before = HeldTensors.Before();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            ModelLoader.Load(_path, cancellationToken: new CancellationToken(canceled: true)));
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Check_LeavesNoTensors()
    {
        var before = HeldTensors.Before();
        Assert.Empty(ModelLoader.Check(_path));
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Encode_ManyTimes_LeavesOnlyItsResults()
    {
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        var encoder = PromptEncoder.For(model);
        using var frozen = no_grad();
        var before = HeldTensors.Before();
        for (var i = 0; i < 10; i++)
        {
            encoder.Encode(["a cat", "a dog"], maxTokenLength: 225).Dispose();
            encoder.EncodeWeighted(["a (cat:1.2)"], rescale: true).Dispose();
            encoder.EncodeForSampling(["(a) cat", ""]).Dispose();
            using var ids = zeros(1, 77, dtype: ScalarType.Int64);
            using var outputs = ((ClipTextModel)model.TextEncoder).Outputs(ids);
        }

        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Encode_TwoEncodersManyTimes_LeavesOnlyItsResults()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        var encoder = PromptEncoder.For(model);
        using var frozen = no_grad();
        var before = HeldTensors.Before();
        for (var i = 0; i < 5; i++)
        {
            encoder.Encode(["a cat", "a dog"], maxTokenLength: 225).Dispose();
            encoder.EncodeWeighted(["a (cat:1.2)"], rescale: true).Dispose();
            encoder.EncodeForSampling(["(a) cat", ""]).Dispose();
        }

        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Backward_ManyTimes_LeavesOnlyGradients()
    {
        using var model = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        var encoder = PromptEncoder.For(model);
        model.TextEncoder.SetRequiresGrad(true);
        model.TextEncoder.GradientCheckpointing = true;
        Step();
        var before = HeldTensors.Before();
        for (var i = 0; i < 5; i++) Step();
        Assert.Equal(before, TensorCount.Live);

        void Step()
        {
            using var scope = NewDisposeScope();
            encoder.Encode(["a cat"]).Context.pow(2).mean().backward();
        }
    }
}
