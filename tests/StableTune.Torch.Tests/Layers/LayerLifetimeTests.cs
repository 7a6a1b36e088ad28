namespace StableTune.Torch.Tests.Layers;

/// <summary>Layers leave no tensor behind, and no gradient that nobody asked for.</summary>
[Collection(CountingTensors.Name)]
public sealed class LayerLifetimeTests : IDisposable
{
    public void Dispose() => OneDnn.Assume(null);

    [Fact]
    public void TrainedLinear_LeavesNoTensor()
    {
        OneDnn.Assume(true);
        using var scope = NewDisposeScope();
        var (x, w, b) = (randn(512, 320).requires_grad_(), randn(8, 320).requires_grad_(), randn(8).requires_grad_());
        void Step()
        {
            using var inner = NewDisposeScope();
            Assert.True(TrainedLinear.Serves(x, w, b));
            Gradients.Backward(Products.Linear(x, w, b).sum());
        }

        Step();
        CountingTensors.Settle();
        var before = TensorCount.Live;
        for (var k = 0; k < 3; k++) Step();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void RehearsedConvolution_LeavesNoTensor_AndNoGradient()
    {
        using var scope = NewDisposeScope();
        var weight = randn(16, 16, 3, 3).requires_grad_();
        var input = randn(5, 16, 7, 9);
        CountingTensors.Settle();
        var before = TensorCount.Live;
        using (NewDisposeScope()) Products.Conv2d(input, weight, null, new ConvolutionGeometry([1, 1], [1, 1], [1, 1]));
        Assert.Equal(before, TensorCount.Live);
        Assert.Null(weight.grad);
    }
}
