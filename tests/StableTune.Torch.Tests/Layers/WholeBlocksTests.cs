namespace StableTune.Torch.Tests.Layers;

/// <summary>Convolutions whose channels are no whole blocks of oneDNN's: on some virtual machines it computes them wrong.</summary>
public sealed class WholeBlocksTests : IDisposable
{
    public void Dispose() => WholeBlocks.Assume(null);

    public static TheoryData<int, int, int, int, ScalarType> Cases()
    {
        var cases = new TheoryData<int, int, int, int, ScalarType>();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        foreach (var kernel in new[] { 1, 3 })
        foreach (var (input, output, groups) in new[]
                 {
                     (48, 4, 1), (20, 48, 1), (4, 48, 1), (320, 8, 1), (8, 320, 1), (48, 20, 1), (1, 16, 1), (320, 17, 1), (64, 64, 1),
                     (40, 8, 2), (6, 6, 6), (64, 32, 2),
                 }) cases.Add(input, output, kernel, groups, type);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolutions_AreRight_OnThisMachine(int input, int output, int kernel, int groups, ScalarType type) =>
        Compare(input, output, kernel, groups, type);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolutions_AreRight_WhereBlocksAreFilledUp(int input, int output, int kernel, int groups, ScalarType type)
    {
        WholeBlocks.Assume(true);
        Compare(input, output, kernel, groups, type);
    }

    /// <summary>A trial may come out right by chance: it is asked only where the processor says what it should.</summary>
    [Fact]
    public void Blocks_AreFilledUp_WhereCachesAreHidden_WhateverATrialSays()
    {
        Assert.True(WholeBlocks.AreNeededWhere(cachesAreHidden: true));
        Assert.Equal(WholeBlocks.AreNeededWhere(Processor.HidesCaches), WholeBlocks.AreNeeded);
    }

    [Fact]
    public void AMapWithoutASample_IsConvolvedToo()
    {
        WholeBlocks.Assume(true);
        using var scope = NewDisposeScope();
        var (x, w) = (randn(5, 8, 8), randn(7, 5, 3, 3));
        var geometry = Geometry(3, 1);
        using var expected = nn.functional.conv2d(x.to(float64), w.to(float64), padding: geometry.Padding);
        Assert.True(Products.Conv2d(x, w, null, geometry).to(float64).allclose(expected, 1e-4, 1e-4));
    }

    [Fact]
    public void ShapesThatDoNotFit_AreRefused_WhereBlocksAreFilledUp()
    {
        WholeBlocks.Assume(true);
        using var scope = NewDisposeScope();
        // Filled up to a block both would have 16 channels.
        Assert.ThrowsAny<Exception>(() => Products.Conv2d(randn(2, 12, 8, 8), randn(4, 13, 3, 3), null, Geometry(3, 1)));
        Assert.ThrowsAny<Exception>(() => Products.Conv2d(randn(2, 12, 8, 8), randn(4, 12, 3, 3), randn(1), Geometry(3, 1)));
    }

    [Fact]
    public void NnpackIsLeftOut_WhereItCannotStart()
    {
        NativeBackend.Load();
        var isOn = GlobalContext.Get(new("_ZNK2at7Context17userEnabledNNPACKEv", "?userEnabledNNPACK@Context@at@@QEBA_NXZ"));
        Assert.Equal(!Processor.HidesCaches, isOn);
    }

    private static ConvolutionGeometry Geometry(int kernel, int groups) => new([1, 1], [kernel / 2, kernel / 2], [1, 1], groups);

    /// <summary>With a frozen weight and with a trained one, against libtorch's convolution in float64, which is not oneDNN's.</summary>
    private static void Compare(int input, int output, int kernel, int groups, ScalarType type)
    {
        using var scope = NewDisposeScope();
        manual_seed(input * 1000 + output);
        var (x, w, b) = (randn(4, input, 16, 16).to(type), randn(output, input / groups, kernel, kernel).to(type), randn(output).to(type));
        var g = randn(4, output, 16, 16).to(type);
        Tensor[] Of(ScalarType precision, bool isTrained, Func<Tensor, Tensor, Tensor, Tensor> convolve)
        {
            var (xs, ws, bs) = (x.to(precision).detach(), w.to(precision).detach(), b.to(precision).detach());
            xs = xs.clone().requires_grad_();
            ws = ws.clone().requires_grad_(isTrained);
            LeaveGarbage();
            var y = convolve(xs, ws, bs);
            LeaveGarbage();
            Gradients.Backward((y * g.to(precision)).sum());
            return isTrained ? [y, xs.grad!, ws.grad!] : [y, xs.grad!];
        }

        var geometry = Geometry(kernel, groups);
        var expected = Of(float64, true, (xs, ws, bs) => nn.functional.conv2d(xs, ws, bs, padding: geometry.Padding, groups: groups));
        foreach (var isTrained in new[] { false, true })
        {
            var actual = Of(type, isTrained, (xs, ws, bs) => Products.Conv2d(xs, ws, bs, geometry));
            foreach (var (found, wanted) in actual.Zip(expected))
            {
                var error = (found.to(float64) - wanted).abs().max().item<double>() / wanted.abs().max().item<double>();
                Assert.InRange(error, 0, type == ScalarType.Float32 ? 1e-5 : 2e-2);
            }
        }
    }

    /// <summary>Memory that is free to be taken next holds what is no number.</summary>
    private static void LeaveGarbage()
    {
        using var scope = NewDisposeScope();
        foreach (var size in new[] { 512, 1024, 2304, 4096, 6912, 9216, 16384, 27648, 65536 })
            for (var k = 0; k < 4; k++) _ = full(size, float.NaN);
    }
}
