using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>What the VAE does besides the right numbers.</summary>
public sealed class AutoencoderBehaviorTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_ThroughTheDecoder_IsTheSameWithAndWithoutRecomputation(bool checkpointing)
    {
        using var scope = NewDisposeScope();
        using var vae = TinyModels.Vae();
        var expected = GradientOfLatents(vae, checkpointing: false, recompute: false);
        var actual = GradientOfLatents(vae, checkpointing, recompute: true);
        GoldenComparison.AssertClose("gradient", expected, actual, 1e-6 * expected.abs().max().ToDouble());
    }

    [Fact]
    public void Sample_WithTheSameSeed_IsTheSameAndHasTheDistributionsSpread()
    {
        using var scope = NewDisposeScope();
        using var vae = TinyModels.Vae();
        using var frozen = no_grad();
        using var distribution = vae.Encode(Pixels());
        var (first, second) = (distribution.Sample(new Generator(5)), distribution.Sample(new Generator(5)));
        Assert.Equal(0, (first - second).abs().max().ToDouble());
        var noise = (first - distribution.Mean) / (distribution.LogVariance * 0.5).exp();
        // 128 numbers: the standard error of their spread is 6 %.
        Assert.InRange(noise.pow(2).mean().sqrt().ToDouble(), 0.7, 1.3);
    }

    [Fact]
    public void EncodeAndDecode_InBFloat16_AnswerInFloat32AndStayClose()
    {
        using var scope = NewDisposeScope();
        using var vae = TinyModels.Vae();
        using var frozen = no_grad();
        var pixels = Pixels();
        var (mean, decoded) = (vae.Encode(pixels).Mean, vae.Decode(vae.Encode(pixels).Mean));
        vae.to(ScalarType.BFloat16);
        var (roundedMean, roundedDecoded) = (vae.Encode(pixels).Mean, vae.Decode(mean));
        Assert.Equal(ScalarType.Float32, roundedMean.dtype);
        Assert.Equal(ScalarType.Float32, roundedDecoded.dtype);
        // bfloat16 has 8 bits; through dozens of layers some percent of the whole is what is lost.
        Assert.InRange(((mean - roundedMean).norm() / mean.norm()).ToDouble(), 1e-6, 0.05);
        Assert.InRange(((decoded - roundedDecoded).norm() / decoded.norm()).ToDouble(), 1e-6, 0.1);
    }

    [Fact]
    public void Encode_WithAForeignShape_NamesTheArgumentAndTheShape()
    {
        using var scope = NewDisposeScope();
        using var vae = TinyModels.Build(() => new AutoencoderKL(VaeOptions.Tiny));
        Assert.Contains("pixels is of shape [1, 4, 16, 16]",
            Assert.Throws<ArgumentException>(() => vae.Encode(zeros(1, 4, 16, 16))).Message);
        Assert.Contains("unscaledLatents", Assert.Throws<ArgumentException>(() => vae.Decode(zeros(1, 3, 8, 8))).Message);
    }

    [Fact]
    public void Validate_WithSeveralFaults_NamesEachOption()
    {
        var thrown = Assert.Throws<InvalidOptionsException>(() =>
            new AutoencoderKL(VaeOptions.Tiny with { ScalingFactor = 0, BlockOutChannels = [16, 33] }));
        Assert.Equal(["VaeOptions.ScalingFactor", "VaeOptions.BlockOutChannels[1]"], thrown.Problems.Select(p => p.Option));
    }

    private static Tensor Pixels() => rand([2, 3, 32, 32], generator: new Generator(2)) * 2 - 1;

    private static Tensor GradientOfLatents(AutoencoderKL vae, bool checkpointing, bool recompute)
    {
        (vae.GradientCheckpointing, vae.RecomputeActivations) = (checkpointing, recompute);
        var latents = randn([1, 4, 4, 4], generator: new Generator(9)).requires_grad_();
        vae.Decode(latents).pow(2).mean().backward();
        return latents.grad!;
    }
}
