namespace StableTune.Torch.Tests;

/// <summary>Numbers in tensor expressions live as long as the calls that read them, whenever garbage is collected.</summary>
public sealed class KeptNumbersTests
{
    [Fact]
    public void TorchSharp_IsTheMarkedOne() => Assert.True(NativeBackend.Describe().KeepsNumbers);

    /// <summary>With TorchSharp as it is published some one in a hundred of these collections made a call fail.</summary>
    [Fact]
    public void Numbers_OutliveCollections_ThatComeInTheMiddleOfACall()
    {
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect(0);
                Thread.Sleep(1);
            }
        });
        collector.Start();
        try
        {
            using var scope = NewDisposeScope();
            var sum = zeros(4, ScalarType.Int32);
            var before = GC.CollectionCount(0);
            var additions = 0;
            while (GC.CollectionCount(0) - before < 2000 || additions < 40_000)
            {
                sum.add_(3);
                additions++;
            }

            Assert.Equal(3 * additions, sum[0].item<int>());
        }
        finally
        {
            stop.Cancel();
            collector.Join();
        }
    }
}
