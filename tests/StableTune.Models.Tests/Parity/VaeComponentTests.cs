using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>The VAEs of SD 2.x (with its old names) and SDXL, loaded from folders, against diffusers'. The tolerance stands in the
/// fixtures' README.</summary>
public sealed class VaeComponentTests
{
    private const double Tolerance = 3e-5;

    [Theory]
    [InlineData("tiny-sd21-v", "b1_64x64", 0.18215)]
    [InlineData("tiny-sd21-v", "b2_48x64", 0.18215)]
    [InlineData("tiny-sdxl", "b1_64x64", 0.13025)]
    [InlineData("tiny-sdxl", "b2_48x64", 0.13025)]
    public void EncodeAndDecode_AgreeWithTheReference(string model, string sample, double scale)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("components", model, "vae.safetensors");
        var path = model == "tiny-sdxl" ? FixtureModels.TinySdxl(folder) : FixtureModels.TinySd21V(folder);
        using var loaded = ModelLoader.Load(path, new ModelLoadOptions { Parts = ModelParts.Vae });
        using var frozen = no_grad();
        var vae = loaded.Vae;
        Assert.Equal(scale, vae.Options.ScalingFactor);
        var distribution = vae.Encode(golden[$"{sample}.image"]);
        golden.AssertClose($"{sample}.mean", distribution.Mean, Tolerance);
        golden.AssertClose($"{sample}.logvar", distribution.LogVariance, Tolerance);
        golden.AssertClose($"{sample}.latents_scaled", distribution.Sample(golden[$"{sample}.noise"]) * scale, Tolerance);
        golden.AssertClose($"{sample}.decoded", vae.Decode(golden[$"{sample}.z_scaled"] / scale), Tolerance);
    }
}
