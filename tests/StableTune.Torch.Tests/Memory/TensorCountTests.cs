namespace StableTune.Torch.Tests.Memory;

[Collection(CountingTensors.Name)]
public sealed class TensorCountTests
{
    [Fact]
    public void Live_CountsTensorsUntilTheyGo()
    {
        var before = TensorCount.Live;
        var x = ones(2);
        Assert.Equal(before + 1, TensorCount.Live);
        var view = x[0];
        Assert.Equal(before + 2, TensorCount.Live);
        x.Dispose();
        x.Dispose();
        view.Dispose();
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Live_CountsAParameterOnce()
    {
        var before = TensorCount.Live;
        var parameter = LayerInitialization.NewParameter(ones(2));
        Assert.Equal(before + 1, TensorCount.Live);
        parameter.Dispose();
        Assert.Equal(before, TensorCount.Live);
        using (new Linear(2, 3)) Assert.Equal(before + 2, TensorCount.Live);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Live_CountsOnAllThreads()
    {
        var before = TensorCount.Live;
        OnThread.Run(4, _ =>
        {
            for (var k = 0; k < 500; k++) LayerInitialization.NewParameter(ones(2)).Dispose();
        });
        Assert.Equal(before, TensorCount.Live);
    }
}
