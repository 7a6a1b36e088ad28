using StableTune.Losses;

namespace StableTune.Diffusion.Tests;

public class LossExtensionTests
{
    [Fact]
    public void Extensions_ReachEveryBuilderWithASocket()
    {
        var pen = new Pen().WithMinSnr(gamma: 3).WithDebiasedEstimation().WithVelocityLikeLoss(0.5).WithVelocityLossScaledLikeNoise()
            .WithHuberLoss(new HuberLoss { C = 0.2 }).WithTimestepRange(0, 500);
        Assert.Equal([new MinSnrWeighting { Gamma = 3 }, new DebiasedWeighting(), new VelocityLikeWeighting { Weight = 0.5 },
            new ScaledVelocityWeighting()], pen.Weightings);
        Assert.Equal(new HuberLoss { C = 0.2 }, pen.Loss);
        Assert.Equal(new UniformTimesteps { Max = 500 }, pen.Timesteps);
        Assert.Equal(new L1Loss(), pen.WithL1Loss().Loss);
        Assert.Equal(new SmoothL1Loss(), pen.WithSmoothL1Loss().Loss);
    }

    [Fact]
    public void LossesAndWeightings_BeyondTheReference_ReachThem()
    {
        var pen = new Pen().WithP2Weighting(gamma: 0.5, k: 2).WithMixedLoss(mse: 0.5, logCosh: 0.5);
        Assert.Equal([new P2Weighting { Gamma = 0.5, K = 2 }], pen.Weightings);
        Assert.Equal(new MixedLoss { Mse = 0.5, LogCosh = 0.5 }, pen.Loss);
        Assert.Equal(new LogCoshLoss(), pen.WithLogCoshLoss().Loss);
    }

    [Fact]
    public void TimestepShare_IsThatPartOfAThousand()
    {
        Assert.Equal(new UniformTimesteps { Min = 0, Max = 500 }, new Pen().WithTimestepShare(0, 0.5).Timesteps);
        Assert.Equal(new UniformTimesteps { Min = 500, Max = 1000 }, new Pen().WithTimestepShare(0.5, 1).Timesteps);
        Assert.Equal(new UniformTimesteps { Min = 300, Max = 301 }, new Pen().WithTimestepShare(0.3, 0.3001).Timesteps);
        foreach (var (from, to) in new[] { (-0.1, 1), (0.5, 0.5), (0, 1.1), (double.NaN, 1) })
            Assert.Throws<ArgumentOutOfRangeException>(() => new Pen().WithTimestepShare(from, to));
    }

    private sealed record Pen : ILossSocket<Pen>, INoiseSocket<Pen>
    {
        public ILoss? Loss { get; init; }
        public IReadOnlyList<ILossWeighting> Weightings { get; init; } = [];
        public ITimestepSource? Timesteps { get; init; }
        public INoiseSource? Noise { get; init; }

        public Pen WithLoss(ILoss loss) => this with { Loss = loss };
        public Pen WithLossWeighting(ILossWeighting weighting) => this with { Weightings = [.. Weightings, weighting] };
        public Pen WithNoise(INoiseSource source) => this with { Noise = source };
        public Pen WithNoiseLayer(NoiseLayer layer) => this with { Noise = NoiseLayer.Over(Noise ?? new NormalNoise(), layer) };
        public Pen WithTimesteps(ITimestepSource source) => this with { Timesteps = source };
    }
}
