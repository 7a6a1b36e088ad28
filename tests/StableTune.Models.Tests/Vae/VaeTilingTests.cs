using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Tiles of the VAE: their places, their blending, and what comes of a real model.</summary>
public sealed class VaeTilingTests
{
    [Theory]
    [InlineData(64, 64, 64, 0.25)]
    [InlineData(200, 136, 64, 0.25)]
    [InlineData(72, 320, 128, 0.5)]
    [InlineData(192, 64, 64, 0)]
    public void Run_OfANetworkThatSeesOnlyItsPlace_IsThatOfTheWhole(int height, int width, int tile, double overlap)
    {
        using var scope = NewDisposeScope();
        var options = new VaeTilingOptions { TilePixels = tile, Overlap = overlap };
        using var random = new Generator(1);
        var pixels = randn([2, 3, height, width], generator: random);
        // Means of 8 x 8 pixels, and back.
        Tensor Shrink(Tensor x) => nn.functional.avg_pool2d(x, 8);
        Tensor Grow(Tensor x) => x.repeat_interleave(8, 2).repeat_interleave(8, 3);
        var latents = VaeTiles.OfPixels(options, 8).Run(pixels, Shrink);
        GoldenComparison.AssertClose("latents", Shrink(pixels), latents, 1e-6);
        GoldenComparison.AssertClose("pixels", Grow(latents), VaeTiles.OfLatents(options, 8).Run(latents, Grow), 1e-6);
    }

    [Fact]
    public void Run_BlendsLinearlyFromEachTileToTheNext()
    {
        using var scope = NewDisposeScope();
        var count = 0;
        // Each tile is a number of its own: 64 pixels, 48 from one to the next, 16 in common.
        var result = VaeTiles.OfPixels(new VaeTilingOptions { TilePixels = 64 }, 1)
            .Run(zeros(1, 1, 64, 112), tile => full_like(tile, ++count)).flatten(0, 2)[0].data<float>().ToArray();
        // Three in a row, and a second row from pixel 48 on, which lies within the first, as diffusers has it.
        Assert.Equal(6, count);
        for (var x = 0; x < 112; x++)
        {
            var expected = x < 48 ? 1 : x < 64 ? 1 + ((x - 48) / 16.0) : x < 96 ? 2 : 2 + ((x - 96) / 16.0);
            Assert.Equal(expected, result[x], 1e-5);
        }
    }

    [Fact]
    public void Encode_OfAPictureThatFitsATile_IsTheSameToTheBit_AndLargerOnesBeginWithIt()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var vae = TinyModels.Vae();
        using var random = new Generator(2);
        var pixels = randn([1, 3, 150, 121], generator: random);
        var (whole, small) = (vae.Encode(pixels).Mean, vae.Encode(pixels[.., .., ..64, ..64]).Mean);
        var decoded = vae.Decode(whole);
        vae.Tiling = new VaeTilingOptions { TilePixels = 64 };
        Assert.True(small.equal(vae.Encode(pixels[.., .., ..64, ..64]).Mean).all().item<bool>());
        var (tiled, tiledDecoded) = (vae.Encode(pixels).Mean, vae.Decode(whole));
        Assert.Equal(whole.shape, tiled.shape);
        Assert.Equal(decoded.shape, tiledDecoded.shape);
        // Where nothing is blended yet: the first tile by itself.
        vae.Tiling = null;
        var (first, firstDecoded) = (vae.Encode(pixels[.., .., ..64, ..64]).Mean, vae.Decode(whole[.., .., ..8, ..8]));
        GoldenComparison.AssertClose("latents", first[.., .., ..6, ..6], tiled[.., .., ..6, ..6], 1e-6);
        GoldenComparison.AssertClose("pixels", firstDecoded[.., .., ..48, ..48], tiledDecoded[.., .., ..48, ..48], 1e-6);
        Assert.InRange((whole - tiled).abs().max().ToDouble(), 1e-4, double.MaxValue);
    }

    [Fact]
    public void Tiling_ThatCannotWork_IsRefusedByName()
    {
        using var vae = TinyModels.Build(() => new AutoencoderKL(VaeOptions.Tiny));
        var message = Assert.Throws<InvalidOptionsException>(() =>
            vae.Tiling = new VaeTilingOptions { TilePixels = 60, Overlap = 0.9 }).Message;
        Assert.Contains("VaeTilingOptions.TilePixels is 60", message, StringComparison.Ordinal);
        Assert.Contains("VaeTilingOptions.Overlap is 0.9", message, StringComparison.Ordinal);
    }
}
