using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Ways to save memory change no number, and leave nothing behind.</summary>
[Collection(CountsTensors.Name)]
public sealed class MemorySavingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public void SwapBlocks_GivesTheSameNumbers_AndMovesBlocksInTurn(int count)
    {
        using var unet = TinyModels.UNet().SetRequiresGrad(false);
        count = Math.Min(count, unet.Segments);
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            var expected = Step(unet, checkpoints: true);
            var mover = new CountingMover();
            using (unet.SwapBlocks(count, mover))
            {
                var hosted = mover.ToHosts;
                Assert.InRange(hosted, count, int.MaxValue);
                Assert.Equal(0, mover.ToDevices);
                AssertSame(expected, Step(unet, checkpoints: true));
                // Each block goes to the device for the forward pass, and all but the last, which is still there, for the backward pass.
                Assert.Equal(hosted, mover.ToHosts);
                Assert.Equal(Enumerable.Range(1, hosted), mover.Places.Take(hosted));
                var back = mover.Runs(hosted).ToList();
                Assert.Equal(count - 1, back.Count);
                Assert.Equal(back.OrderDescending(), back);
                using (no_grad()) AssertSame(expected.Output, Predict(unet, null));
            }

            AssertSame(expected, Step(unet, checkpoints: true));
        }

        // Fewer, where one that another test forgot was collected meanwhile.
        Assert.InRange(TensorCount.Live, 0, before);
    }

    [Fact]
    public void SwapBlocks_WhereItCannotWork_SaysWhy()
    {
        using var unet = TinyModels.UNet().SetRequiresGrad(false);
        Assert.Throws<ArgumentOutOfRangeException>(() => unet.SwapBlocks(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => unet.SwapBlocks(unet.Segments + 1));
        using (unet.SwapBlocks(2))
        {
            Assert.Contains("already",
                Assert.Throws<InvalidOperationException>(() => unet.SwapBlocks(1)).Message, StringComparison.Ordinal);
            Assert.Contains("GradientCheckpointing", Assert.Throws<InvalidOperationException>(() => Step(unet, checkpoints: false)).Message,
                StringComparison.Ordinal);
        }

        unet.SetRequiresGrad(true);
        Assert.Contains("is trained", Assert.Throws<InvalidOperationException>(() => unet.SwapBlocks(2)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CheckpointMover_GivesTheSameNumbers_AndMovesEachBlocksInputThereAndBack()
    {
        using var unet = TinyModels.UNet().SetRequiresGrad(false);
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            var expected = Step(unet, checkpoints: true);
            var mover = new CountingMover();
            unet.CheckpointMover = mover;
            AssertSame(expected, Step(unet, checkpoints: true));
            Assert.Equal((unet.Segments, unet.Segments), (mover.ToHosts, mover.ToDevices));
            unet.CheckpointMover = null;
        }

        // Fewer, where one that another test forgot was collected meanwhile.
        Assert.InRange(TensorCount.Live, 0, before);
    }

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 2)]
    [InlineData(true, 1)]
    public void TokenMerging_DrawsTheSameInTheSecondPass_AndChangesTheNumbersALittle(bool swaps, int samples)
    {
        using var unet = TinyModels.UNet().SetRequiresGrad(false);
        var options = new TokenMergingOptions { Ratio = 0.5, MaxDownsample = 2, FeedForward = true };
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            var whole = Step(unet, checkpoints: true, samples);
            var (kept, again) = (With(checkpoints: false), With(checkpoints: true));
            AssertSame(kept.Output, again.Output);
            GoldenComparison.AssertClose("gradient", kept.Gradient, again.Gradient, 1e-5 * kept.Gradient.abs().max().ToDouble());
            var difference = ((kept.Output - whole.Output).norm() / whole.Output.norm()).ToDouble();
            Assert.InRange(difference, 1e-4, 0.5);
        }

        // Fewer, where one that another test forgot was collected meanwhile.
        Assert.InRange(TensorCount.Live, 0, before);

        StepNumbers With(bool checkpoints)
        {
            using var random = new Generator(5);
            unet.TokenMerging = options.Create(random);
            try
            {
                using var swap = swaps && checkpoints ? unet.SwapBlocks(3) : null;
                return Step(unet, checkpoints, samples);
            }
            finally
            {
                unet.TokenMerging = null;
            }
        }
    }

    [Theory]
    [InlineData("fp8", 0.1)]
    [InlineData("int8", 0.02)]
    [InlineData("nf4", 0.3)]
    public void Quantize_TheWholeUNet_StaysClose_AlsoWithSwappedBlocks(string name, double most)
    {
        using var unet = TinyModels.UNet().SetRequiresGrad(false);
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            var expected = Step(unet, checkpoints: true);
            var bytes = ModuleMemory.Bytes(unet);
            unet.Quantize(WeightQuantization.Catalog.Create(name));
            Assert.InRange(ModuleMemory.Bytes(unet), 0, bytes / 2.5);
            var coded = Step(unet, checkpoints: true);
            Assert.InRange(((coded.Output - expected.Output).norm() / expected.Output.norm()).ToDouble(), 1e-5, most);
            var plain = Step(unet, checkpoints: false);
            AssertSame(coded.Output, plain.Output);
            GoldenComparison.AssertClose("gradient", coded.Gradient, plain.Gradient, 1e-5 * coded.Gradient.abs().max().ToDouble());
            using (unet.SwapBlocks(unet.Segments)) AssertSame(coded, Step(unet, checkpoints: true));
            unet.Dequantize();
            Assert.Equal(bytes, ModuleMemory.Bytes(unet));
        }

        // Fewer, where one that another test forgot was collected meanwhile.
        Assert.InRange(TensorCount.Live, 0, before);
    }

    private static StepNumbers Step(UNet2DConditionModel unet, bool checkpoints, int samples = 2)
    {
        using var scope = NewDisposeScope();
        unet.GradientCheckpointing = checkpoints;
        var context = Context(samples);
        context.requires_grad = true;
        var output = Predict(unet, context, samples);
        Gradients.Backward(output.pow(2).mean());
        return new StepNumbers(output.detach().clone().MoveToOuterDisposeScope(), context.grad!.MoveToOuterDisposeScope());
    }

    private static Tensor Context(int samples)
    {
        using var random = new Generator(4);
        return randn([samples, 7, UNetOptions.Tiny.CrossAttentionDim], generator: random);
    }

    private static Tensor Predict(UNet2DConditionModel unet, Tensor? context, int samples = 2)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(3);
        var sample = randn([samples, 4, 16, 16], generator: random);
        return unet.call(sample, tensor(new long[] { 500 }), context ?? Context(samples)).MoveToOuterDisposeScope();
    }

    private static void AssertSame(StepNumbers expected, StepNumbers actual)
    {
        AssertSame(expected.Output, actual.Output);
        AssertSame(expected.Gradient, actual.Gradient);
    }

    private static void AssertSame(Tensor expected, Tensor actual)
    {
        using var scope = NewDisposeScope();
        Assert.True(expected.equal(actual).all().item<bool>());
    }

    private sealed record StepNumbers(Tensor Output, Tensor Gradient);

    /// <summary>Copies within host memory, and notes what is moved when: host memory plays both parts.</summary>
    private sealed class CountingMover : ITensorMover
    {
        private readonly Dictionary<nint, int> _numbers = [];

        public int ToHosts { get; private set; }

        public int ToDevices => Places.Count;

        /// <summary>What was moved to the device, in this order, by its number among what was moved to host memory.</summary>
        public List<int> Places { get; } = [];

        /// <summary>Where weights begin that follow each other, from a place on: one for each block.</summary>
        public IEnumerable<int> Runs(int from) =>
            Enumerable.Range(from, Places.Count - from).Where(i => i == from || Places[i] != Places[i - 1] + 1).Select(i => Places[i]);

        public Tensor ToHost(Tensor tensor)
        {
            var copy = tensor.clone();
            _numbers[copy.DataPointer()] = ++ToHosts;
            return copy;
        }

        public Tensor ToDevice(Tensor tensor, Device device)
        {
            Places.Add(_numbers[tensor.DataPointer()]);
            return tensor.clone();
        }
    }
}
