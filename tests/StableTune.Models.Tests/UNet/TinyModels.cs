using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Tiny models with the fixtures' weights.</summary>
internal static class TinyModels
{
    internal static UNet2DConditionModel UNet(UNetOptions? options = null, string model = "tiny-sd15")
    {
        var unet = Build(() => new UNet2DConditionModel(options ?? UNetOptions.Tiny));
        return Load(unet, "models", model, "unet", "diffusion_pytorch_model.safetensors");
    }

    internal static AutoencoderKL Vae(VaeOptions? options = null, string model = "tiny-sd15")
    {
        var vae = Build(() => new AutoencoderKL(options ?? VaeOptions.Tiny));
        return Load(vae, "models", model, "vae", "diffusion_pytorch_model.safetensors");
    }

    internal static T Build<T>(Func<T> create)
    {
        using var skip = LayerInitialization.Skip();
        return create();
    }

    private static T Load<T>(T module, params string[] parts) where T : nn.Module
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var weights = Golden.Open(parts);
        var own = module.state_dict();
        Assert.Equal(weights.Names.Order(StringComparer.Ordinal), own.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, target) in own)
        {
            var values = weights[name];
            Assert.Equal(values.shape, target.shape);
            target.copy_(values);
        }

        return module;
    }
}
