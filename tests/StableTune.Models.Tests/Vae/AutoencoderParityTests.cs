using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Numbers of diffusers' VAE. The tolerance stands in the fixtures' README and is never loosened.</summary>
public sealed class AutoencoderParityTests
{
    private const double Tolerance = 3e-5;

    [Theory]
    [InlineData("b1_64x64", false)]
    [InlineData("b2_48x64", false)]
    [InlineData("b2_48x64", true)]
    public void EncodeAndDecode_TinySd15_AgreeWithTheReference(string name, bool slicing)
    {
        using var scope = NewDisposeScope();
        using var golden = Open();
        using var vae = TinyModels.Vae();
        vae.UseSlicing = slicing;
        using var frozen = no_grad();
        var distribution = vae.Encode(golden[$"{name}.image"]);
        golden.AssertClose($"{name}.mean", distribution.Mean, Tolerance);
        golden.AssertClose($"{name}.logvar", distribution.LogVariance, Tolerance);
        var scaled = distribution.Sample(golden[$"{name}.noise"]) * vae.Options.ScalingFactor;
        golden.AssertClose($"{name}.latents_scaled", scaled, Tolerance);
        golden.AssertClose($"{name}.decoded", vae.Decode(golden[$"{name}.z_scaled"] / vae.Options.ScalingFactor), Tolerance);
    }

    [Fact]
    public void EncodeAndDecode_TinySd15_AgreeInside()
    {
        using var scope = NewDisposeScope();
        using var golden = Open();
        using var vae = TinyModels.Vae();
        var seen = new Dictionary<string, Tensor>();
        foreach (var (name, module) in vae.named_modules())
        {
            if (module is nn.Module<Tensor, Tensor> layer)
            {
                layer.register_forward_hook((_, _, output) =>
                {
                    seen[name] = output.clone().DetachFromDisposeScope();
                    return null!;
                });
            }
        }

        using (no_grad())
        {
            vae.Encode(golden["b1_64x64.image"]);
            vae.Decode(golden["b1_64x64.z_scaled"] / vae.Options.ScalingFactor);
        }

        const string prefix = "b1_64x64.inner.";
        var wanted = golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.Equal(6, wanted.Count);
        foreach (var name in wanted) golden.AssertClose(name, seen[name[prefix.Length..]], Tolerance);
    }

    private static Golden Open() => Golden.Open("components", "tiny-sd15", "vae.safetensors");
}
