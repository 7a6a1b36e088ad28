namespace StableTune.Torch.Tests.Layers;

/// <summary>Convolutions of several threads at once, each of them the first of its kind. Without turns, on a machine that hides its caches,
/// half of the runs of these tests failed or ended the process.</summary>
public sealed class ConvolutionsTests
{
    private static int s_batch;

    [Theory]
    [InlineData(false, ScalarType.Float32)]
    [InlineData(true, ScalarType.Float32)]
    [InlineData(false, ScalarType.BFloat16)]
    [InlineData(true, ScalarType.BFloat16)]
    public void ThreadsThatBeginAtOnce_ComputeWhatIsRight(bool isTrained, ScalarType type)
    {
        using var together = new Barrier(3);
        var first = Interlocked.Add(ref s_batch, 3);
        var worst = new double[3];
        OnThread.Run(3, k =>
        {
            for (var batch = first; batch < first + 3; batch++)
                foreach (var (input, output, side, kernel, stride) in new[]
                         {
                             (32, 32, 8, 3, 1), (32, 32, 4, 3, 1), (64, 32, 8, 3, 1), (32, 64, 4, 3, 1), (32, 32, 8, 3, 2),
                             (64, 32, 8, 1, 1),
                         })
                    foreach (var isChannelsLast in new[] { false, true })
                    {
                        worst[k] = Math.Max(worst[k], Error(
                            // A thread that failed has left.
                            () => { if (!together.SignalAndWait(TimeSpan.FromSeconds(60))) throw new TimeoutException("the others left"); },
                            batch, input, output, side, kernel, stride, isChannelsLast, isTrained, type));
                    }
        });
        Assert.All(worst, error => Assert.InRange(error, 0, type == ScalarType.Float32 ? 1e-5 : 2e-2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void MapsWithoutABatch_AndEmptyBatches_AreTrainedToo(int batches)
    {
        using var scope = NewDisposeScope();
        var (weight, bias) = (randn(16, 16, 3, 3).requires_grad_(), randn(16).requires_grad_());
        var input = batches == 0 ? randn(0, 16, 6, 6) : randn(16, 6, 6);
        var output = Products.Conv2d(input, weight, bias, new ConvolutionGeometry([1, 1], [1, 1], [1, 1]));
        Gradients.Backward(output.sum());
        Assert.Equal(batches * 36.0, bias.grad!.to(float64).mean().item<double>(), 1e-3);
    }

    [Fact]
    public void NumbersThatOneDnnDoesNotKnow_AreTrainedAsBefore()
    {
        using var scope = NewDisposeScope();
        var weight = randn(4, 4, 3, 3, dtype: ScalarType.ComplexFloat32).requires_grad_();
        var input = randn(2, 4, 6, 6, dtype: ScalarType.ComplexFloat32);
        Assert.Equal([2, 4, 4, 4], Products.Conv2d(input, weight, null, new ConvolutionGeometry([1, 1], [0, 0], [1, 1])).shape);
    }

    /// <summary>The largest difference of output and gradients to libtorch's in float64, which is not oneDNN's, over the largest
    /// number.</summary>
    private static double Error(Action meet, int batch, int input, int output, int side, int kernel, int stride, bool isChannelsLast,
        bool isTrained, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var x = Numbers([batch, input, side, side]).to(type);
        if (isChannelsLast) x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        var w = Numbers([output, input, kernel, kernel]).to(type);
        var geometry = new ConvolutionGeometry([stride, stride], [kernel / 2, kernel / 2], [1, 1]);
        var b = Numbers([output]).to(type);
        Tensor[] Of(ScalarType precision, Action meet, Func<Tensor, Tensor, Tensor, Tensor> convolve)
        {
            var (xs, ws) = (x.to(precision).detach().requires_grad_(), w.to(precision).detach().requires_grad_(isTrained));
            var bs = b.to(precision).detach().requires_grad_(isTrained);
            meet();
            var y = convolve(xs, ws, bs);
            var loss = (y * Numbers(y.shape).to(type).to(precision)).sum();
            meet();
            Gradients.Backward(loss);
            return isTrained ? [y, xs.grad!, ws.grad!, bs.grad!] : [y, xs.grad!];
        }

        var actual = Of(type, meet, (xs, ws, bs) => Products.Conv2d(xs, ws, bs, geometry));
        var expected = Of(float64, () => { }, (xs, ws, bs) => nn.functional.conv2d(xs, ws, bs, geometry.Stride, geometry.Padding));
        return actual.Zip(expected).Max(pair =>
            (pair.First.to(float64) - pair.Second).abs().max().item<double>() / pair.Second.abs().max().item<double>());
    }

    /// <summary>The same in all threads.</summary>
    private static Tensor Numbers(long[] shape) => arange(shape.Aggregate((a, b) => a * b), dtype: float64).add(0.5).sin().view(shape);
}
